import { join } from "node:path";
import { startRedis } from "../../redis-server.ts";
import type { Breakable, RedisNode } from "../contract.ts";
import { breakable } from "./breakable.ts";
import { redisCommand, redisFields } from "./redis-command.ts";
import { startRedisNode, type RedisNodeSettings } from "./redis-node.ts";

/** How the Sentinels call the primary. */
const PRIMARY_NAME = "dynamo";
const SENTINELS = 3;
/** Two of three have to agree that the primary is gone. */
const QUORUM = 2;
const DOWN_AFTER_MS = 2_000;
const FAILOVER_TIMEOUT_MS = 5_000;

export interface SentinelGroup {
  nodes: RedisNode[];
  sentinels: (Breakable & { port: number })[];
}

/** Starts a primary with two replicas, and three Sentinels that watch it; `sentinelsHealthy` tells when all know all. */
export async function startSentinelGroup(settings: RedisNodeSettings): Promise<SentinelGroup> {
  const group: SentinelGroup = { nodes: [], sentinels: [] };
  try {
    // Sentinel makes its changes of roles last by CONFIG REWRITE.
    const primary = await startRedisNode("redis-1", settings, { rewritesConfiguration: true });
    group.nodes.push(primary);
    const replica = (name: string) =>
      startRedisNode(name, settings, {
        directives: [`replicaof 127.0.0.1 ${primary.port}`],
        rewritesConfiguration: true,
      });
    group.nodes.push(...(await Promise.all([replica("redis-2"), replica("redis-3")])));
    const names = Array.from({ length: SENTINELS }, (_, index) => `sentinel-${index + 1}`);
    group.sentinels.push(...(await Promise.all(names.map((name) => startSentinel(name, settings, primary.port)))));
    return group;
  } catch (cause) {
    await Promise.all([...group.nodes, ...group.sentinels].map((server) => server.kill()));
    throw cause;
  }
}

async function startSentinel(
  name: string,
  { program, folder }: RedisNodeSettings,
  primaryPort: number,
): Promise<Breakable & { port: number }> {
  const start = (port?: number) =>
    startRedis({
      program,
      dataDirectory: join(folder, name),
      logFile: join(folder, `${name}.log`),
      configFile: join(folder, `${name}.conf`),
      sentinel: true,
      appendOnly: false,
      diesWithUs: true,
      directives: [
        `sentinel monitor ${PRIMARY_NAME} 127.0.0.1 ${primaryPort} ${QUORUM}`,
        `sentinel down-after-milliseconds ${PRIMARY_NAME} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${PRIMARY_NAME} ${FAILOVER_TIMEOUT_MS}`,
      ],
      ...(port !== undefined && { port }),
    });
  const first = await start();
  const { port } = first;
  return { ...breakable(name, first, () => start(port), "SIGTERM"), port };
}

/** REDIS_URL of a process that asks the Sentinels at these ports. */
export function sentinelUrl(ports: readonly number[]): string {
  return `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(",")}/${PRIMARY_NAME}`;
}

/**
 * The node that the Sentinels name and that says so itself.
 *
 * @throws when there is none now
 */
export async function primaryOf({ nodes, sentinels }: SentinelGroup): Promise<RedisNode> {
  for (const sentinel of sentinels.filter((each) => each.running())) {
    const port = await primaryPort(sentinel.port);
    const node = nodes.find((each) => each.port === port);
    if (node && (await node.role()) === "master") return node;
  }
  throw new Error("no Sentinel names a primary that is one");
}

async function primaryPort(sentinelPort: number): Promise<number | undefined> {
  try {
    const address = await redisCommand(sentinelPort, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME);
    return Array.isArray(address) ? Number(address[1]) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether all Sentinels name the same primary and find nothing wrong, and every other node is its replica in sync. */
export async function sentinelsHealthy({ nodes, sentinels }: SentinelGroup): Promise<boolean> {
  const named = await Promise.all(sentinels.map(({ port }) => primaryPort(port)));
  const primary = nodes.find((node) => node.port === named[0]);
  if (primary === undefined || new Set(named).size !== 1) return false;
  for (const { port } of sentinels) {
    // master0:name=dynamo,status=ok,address=127.0.0.1:…,slaves=2,sentinels=3
    const seen = (await redisFields(port, "INFO", "sentinel"))?.get("master0") ?? "";
    if (!/status=ok,/.test(seen)) return false;
    if (!seen.endsWith(`slaves=${nodes.length - 1},sentinels=${sentinels.length}`)) return false;
  }
  const roles = await Promise.all(nodes.map((node) => redisFields(node.port, "INFO", "replication")));
  return roles.every((fields, index) =>
    nodes[index] === primary
      ? fields?.get("role") === "master" && Number(fields.get("connected_slaves")) === nodes.length - 1
      : fields?.get("master_port") === String(primary.port) && fields.get("master_link_status") === "up",
  );
}
