import { rmSync } from "node:fs";
import { FOLDERS } from "../../folders.ts";
import { redisProgram } from "../../redis-binary.ts";
import { temporaryFolder } from "../../test-servers.ts";
import type { Breakable, FaultyRedis, RedisNode, Topology, Way, Ways } from "../contract.ts";
import { clusterHealthy, clusterMasterOf, startRedisCluster } from "./redis-cluster.ts";
import { startRedisNode, type RedisNodeSettings } from "./redis-node.ts";
import { primaryOf, sentinelsHealthy, sentinelUrl, startSentinelGroup } from "./redis-sentinel.ts";
import { watchedDiskLibrary } from "./watched-disk.ts";
import { groupWays } from "./ways.ts";

/** What differs between one Redis and several. */
interface Servers {
  nodes: RedisNode[];
  sentinels: Breakable[];
  /** Of the servers that a client is told: all nodes, or the Sentinels. */
  doorPorts: number[];
  url(ports: readonly number[]): string;
  masterOf(key: string): Promise<RedisNode>;
  healthy(): Promise<boolean>;
}

/**
 * Starts real Redis servers in this topology on free ports of 127.0.0.1, each with an append-only file that is synced once
 * a second, and waits until they serve. They end with this process.
 *
 * @param options.ways for `openWay`
 * @param options.directives further lines of redis.conf for every node: `appendfsync always`, `min-replicas-to-write 1`
 */
export async function startFaultyRedis(
  topology: Topology,
  options: { ways?: Ways; directives?: readonly string[] } = {},
): Promise<FaultyRedis> {
  const program = await redisProgram(FOLDERS.tools, console.log);
  const library = await watchedDiskLibrary(FOLDERS.tools);
  const folder = temporaryFolder("faulty-redis");
  const atExit = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", atExit);
  const servers = await START[topology]({ program, library, folder, directives: options.directives ?? [] });
  // Sentinels too tell of each other.
  const ports = [...new Set([...servers.doorPorts, ...servers.nodes.map((node) => node.port)])];
  const opened = new Map<string, Map<number, Way>>();
  const through = (name: string): Map<number, Way> => {
    const ways = opened.get(name);
    if (ways === undefined) throw new Error(`no way "${name}" to Redis was opened`);
    return ways;
  };
  const redis: FaultyRedis = {
    topology,
    nodes: servers.nodes,
    sentinels: servers.sentinels,
    directUrl: servers.url(servers.doorPorts),
    async openWay(name) {
      const { ways } = options;
      if (ways === undefined) throw new Error("this Redis was started without a proxy");
      const opening = ports.map(async (port) => [port, await ways.open(`${name}>redis:${port}`, [port])] as const);
      const mine = new Map(await Promise.all(opening));
      opened.set(name, mine);
      return groupWays([...mine.values()]);
    },
    urlFor: (name) => servers.url(servers.doorPorts.map((port) => through(name).get(port)?.port ?? port)),
    natMapFor: (name) =>
      topology === "single"
        ? undefined
        : ports.map((port) => `127.0.0.1:${port}=127.0.0.1:${through(name).get(port)?.port}`).join(","),
    masterOf: (key) => servers.masterOf(key),
    async healthy(timeoutMs) {
      for (const deadline = Date.now() + timeoutMs; Date.now() < deadline;) {
        if (await servers.healthy()) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`Redis (${topology}) was not whole after ${timeoutMs / 1_000} s`);
    },
    async close() {
      await Promise.all([...servers.nodes, ...servers.sentinels].map((server) => server.kill()));
      process.removeListener("exit", atExit);
      atExit();
    },
  };
  try {
    await redis.healthy(60_000);
  } catch (cause) {
    await redis.close();
    throw cause;
  }
  return redis;
}

const START: Record<Topology, (settings: RedisNodeSettings) => Promise<Servers>> = {
  async single(settings) {
    const node = await startRedisNode("redis-1", settings);
    return {
      nodes: [node],
      sentinels: [],
      doorPorts: [node.port],
      url: (ports) => `redis://127.0.0.1:${ports[0]}`,
      masterOf: async () => node,
      healthy: async () => (await node.role()) === "master",
    };
  },
  async cluster(settings) {
    const nodes = await startRedisCluster(settings);
    return {
      nodes,
      sentinels: [],
      doorPorts: nodes.map((node) => node.port),
      url: (ports) => ports.map((port) => `redis://127.0.0.1:${port}`).join(","),
      masterOf: (key) => clusterMasterOf(nodes, key),
      healthy: () => clusterHealthy(nodes),
    };
  },
  async sentinel(settings) {
    const group = await startSentinelGroup(settings);
    return {
      ...group,
      doorPorts: group.sentinels.map((sentinel) => sentinel.port),
      url: sentinelUrl,
      masterOf: () => primaryOf(group),
      healthy: () => sentinelsHealthy(group),
    };
  },
};
