import { freePort } from "../../ports.ts";
import type { RedisNode } from "../contract.ts";
import { redisCommand, redisFields } from "./redis-command.ts";
import { startRedisNode, type RedisNodeSettings } from "./redis-node.ts";

const MASTERS = 3;
const SLOTS = 16_384;

/** A master that nobody hears for this long is voted out. */
const NODE_TIMEOUT_MS = 2_000;

/** Starts three masters with a replica each and joins them; `clusterHealthy` tells when they serve. */
export async function startRedisCluster(settings: RedisNodeSettings): Promise<RedisNode[]> {
  const names = Array.from({ length: MASTERS * 2 }, (_, index) => `redis-${index + 1}`);
  const busPorts = await Promise.all(names.map(() => freePort()));
  const nodes = await Promise.all(
    names.map((name, index) =>
      startRedisNode(name, settings, {
        directives: [
          "cluster-enabled yes",
          "cluster-config-file nodes.conf",
          `cluster-port ${busPorts[index]}`,
          `cluster-node-timeout ${NODE_TIMEOUT_MS}`,
          "cluster-announce-ip 127.0.0.1",
        ],
      }),
    ),
  );
  try {
    await join(nodes, busPorts);
  } catch (cause) {
    await Promise.all(nodes.map((node) => node.kill()));
    throw cause;
  }
  return nodes;
}

async function join(nodes: readonly RedisNode[], busPorts: readonly number[]): Promise<void> {
  const [first, ...others] = nodes as [RedisNode, ...RedisNode[]];
  // Epochs of their own from the start: otherwise all masters begin with the same, and have to sort that out first.
  await Promise.all(nodes.map((node, index) => node.command("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1))));
  const masters = nodes.slice(0, MASTERS);
  await Promise.all(
    masters.map((master, index) =>
      master.command(
        "CLUSTER",
        "ADDSLOTSRANGE",
        String(Math.floor((index * SLOTS) / MASTERS)),
        String(Math.floor(((index + 1) * SLOTS) / MASTERS) - 1),
      ),
    ),
  );
  for (const [index, node] of others.entries())
    await first.command("CLUSTER", "MEET", "127.0.0.1", String(node.port), String(busPorts[index + 1]));
  await everyNode(nodes, async (node) => (await ownView(node))?.known === nodes.length);
  await Promise.all(
    masters.map(async (master, index) => {
      const id = String(await master.command("CLUSTER", "MYID"));
      await nodes[MASTERS + index]?.command("CLUSTER", "REPLICATE", id);
    }),
  );
}

/** A joining node hears of the others within seconds; a minute means that it never will. */
async function everyNode(nodes: readonly RedisNode[], holds: (node: RedisNode) => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    if ((await Promise.all(nodes.map(holds))).every(Boolean)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the nodes of the Redis Cluster did not find each other within 60 s");
}

/** Whether every node calls the cluster whole, all slots have a master that says so itself, and each has its replica in sync. */
export async function clusterHealthy(nodes: readonly RedisNode[]): Promise<boolean> {
  const states = await Promise.all(
    nodes.map(async (node) => ({
      cluster: await redisFields(node.port, "CLUSTER", "INFO"),
      replication: await redisFields(node.port, "INFO", "replication"),
      view: await ownView(node),
    })),
  );
  let masters = 0;
  const served = new Set<number>();
  for (const { cluster, replication, view } of states) {
    if (cluster?.get("cluster_state") !== "ok" || view === undefined || view.failing) return false;
    if (replication?.get("role") === "master") {
      masters += 1;
      for (const [from, to] of view.slots) for (let slot = from; slot <= to; slot += 1) served.add(slot);
      if (!/state=online/.test(replication.get("slave0") ?? "")) return false;
    } else if (replication?.get("master_link_status") !== "up") return false;
  }
  return masters === MASTERS && served.size === SLOTS;
}

/**
 * The node that says of itself that it serves the key's slot; of two that do (one does not know yet that it was voted out)
 * the newer one.
 *
 * @throws when no node that answers does
 */
export async function clusterMasterOf(nodes: readonly RedisNode[], key: string): Promise<RedisNode> {
  const slot = await keySlot(nodes, key);
  const views = await Promise.all(nodes.map(async (node) => ({ node, view: await ownView(node) })));
  const serving = views
    .filter(({ view }) => view?.master && view.slots.some(([from, to]) => from <= slot && slot <= to))
    .toSorted((a, b) => (b.view?.epoch ?? 0) - (a.view?.epoch ?? 0));
  if (serving[0] === undefined) throw new Error(`no Redis node serves slot ${slot} now`);
  return serving[0].node;
}

async function keySlot(nodes: readonly RedisNode[], key: string): Promise<number> {
  for (const node of nodes.filter((each) => each.running())) {
    try {
      return Number(await node.command("CLUSTER", "KEYSLOT", key));
    } catch {
      // the next one knows it as well
    }
  }
  throw new Error("no Redis node answers");
}

interface OwnView {
  master: boolean;
  epoch: number;
  slots: [from: number, to: number][];
  /** How many nodes it knows that are not just being shaken hands with. */
  known: number;
  /** It holds somebody for failed, or is about to. */
  failing: boolean;
}

/** What CLUSTER NODES says. Undefined when it does not answer. */
async function ownView(node: RedisNode): Promise<OwnView | undefined> {
  let text: string;
  try {
    text = String(await redisCommand(node.port, "CLUSTER", "NODES"));
  } catch {
    return undefined;
  }
  // id address flags master ping pong epoch link slots…
  const lines = text.trim().split("\n");
  const all = lines.map((line) => line.trim().split(" "));
  const flagsOf = (fields: string[]) => (fields[2] ?? "").split(",");
  const own = all.find((fields) => flagsOf(fields).includes("myself"));
  if (own === undefined) return undefined;
  return {
    master: flagsOf(own).includes("master"),
    epoch: Number(own[6]),
    slots: own.slice(8).flatMap((range): [number, number][] => {
      const bounds = /^(\d+)(?:-(\d+))?$/.exec(range); // others are slots on the move
      return bounds ? [[Number(bounds[1]), Number(bounds[2] ?? bounds[1])]] : [];
    }),
    known: all.filter((fields) => !flagsOf(fields).includes("handshake")).length,
    failing: all.some((fields) => flagsOf(fields).some((flag) => flag === "fail" || flag === "fail?")),
  };
}
