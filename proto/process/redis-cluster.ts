import { type Cluster, Redis, type RedisOptions } from "ioredis";
import { keySlot } from "../key-slot.ts";
import { addressText, type NatMap, type RedisAddress, type RedisTarget } from "./redis-target.ts";

export type ClusterTarget = Extract<RedisTarget, { kind: "cluster" }>;

/** A node that does not say within this time who has which slots is passed over. */
const SLOTS_TIMEOUT_MS = 1_000;

/** Name, password and TLS of the first URL: the nodes that the cluster names itself have no URL of their own. */
export function clusterCredentials(target: ClusterTarget): Pick<RedisOptions, "username" | "password" | "tls"> {
  const { protocol, username, password } = new URL(target.nodes[0] as string);
  return {
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" ? { tls: {} } : {}),
  };
}

/** Which master has which slots, as one node of the cluster told. */
export class SlotOwners {
  /** Every master that has slots, under the address at which it is reached. */
  readonly masters: readonly RedisAddress[];
  readonly #ranges: readonly { first: number; last: number; master: RedisAddress }[];

  /** @param slots reply of CLUSTER SLOTS @param asked a node that does not know its own address is meant by an empty one */
  constructor(slots: unknown, asked: RedisAddress, natMap: NatMap | undefined) {
    const masters = new Map<string, RedisAddress>();
    this.#ranges = (slots as [number, number, [string | null, number]][]).map(([first, last, [host, port]]) => {
      const named = { host: host === null || host === "" ? asked.host : host, port };
      const master = natMap?.[addressText(named)] ?? named;
      if (!masters.has(addressText(master))) masters.set(addressText(master), master);
      return { first, last, master: masters.get(addressText(master)) as RedisAddress };
    });
    this.masters = [...masters.values()];
  }

  /** One of `masters`; undefined: nobody has the slot now. */
  masterOf(key: string): RedisAddress | undefined {
    const slot = keySlot(key);
    return this.#ranges.find(({ first, last }) => first <= slot && slot <= last)?.master;
  }
}

/**
 * Asks the nodes of a cluster in random order, one after the other, until one tells: after a failover any of them may be
 * away, or not know yet. Rejects with the last one's error when none does.
 *
 * @param known further nodes than the target names, from an earlier answer
 */
export async function readSlotOwners(target: ClusterTarget, known: readonly RedisAddress[]): Promise<SlotOwners> {
  const named = target.nodes.map((url): RedisAddress => {
    const { hostname, port } = new URL(url);
    return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? 6_379 : Number(port) };
  });
  const nodes = new Map([...named, ...known].map((node) => [addressText(node), node]));
  let reason: unknown;
  for (const node of shuffled([...nodes.values()])) {
    try {
      return new SlotOwners(await askSlots(target, node), node, target.natMap);
    } catch (cause) {
      reason = cause;
    }
  }
  throw reason;
}

async function askSlots(target: ClusterTarget, node: RedisAddress): Promise<unknown> {
  const connection = new Redis({
    ...clusterCredentials(target),
    ...node,
    connectTimeout: SLOTS_TIMEOUT_MS,
    commandTimeout: SLOTS_TIMEOUT_MS,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false, // one that still loads its data knows who has the slots
    disableClientInfo: true,
    protocol: 2,
  });
  connection.on("error", () => {}); // the command tells
  try {
    return await connection.cluster("SLOTS");
  } finally {
    connection.disconnect();
  }
}

function shuffled<T>(items: T[]): T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/**
 * Connects to every node before it is needed, replicas too, which may be promoted: while a node is being connected to, a
 * client without an offline queue refuses the commands for it.
 */
export function connectNodesEarly(cluster: Cluster): void {
  cluster.on("+node", (node: Redis) => {
    // After a command that made the client find the node: that one connects by itself, and is not refused.
    setImmediate(() => {
      if (node.status === "wait") node.connect().catch(() => {});
    });
  });
}

/** How often a client asks who has the slots, at the most. */
const REFRESH_GAP_MS = 200;

/**
 * Bounds how often the client asks who has the slots. While a master is away that a subscriber needs, it would ask again at
 * once, hundreds of times a second on a new connection each, until a replica is promoted.
 */
export function paceRefreshes(cluster: Cluster): void {
  const refresh = cluster.refreshSlotsCache.bind(cluster);
  let nextMs = 0;
  let waiting: Parameters<typeof refresh>[0][] | undefined;
  const run = () => {
    const told = waiting ?? [];
    waiting = undefined;
    nextMs = performance.now() + REFRESH_GAP_MS;
    if (cluster.status === "end") return;
    refresh((...outcome) => {
      for (const callback of told) callback?.(...outcome);
    });
  };
  cluster.refreshSlotsCache = (callback) => {
    if (waiting !== undefined) return void waiting.push(callback);
    waiting = [callback];
    const waitMs = nextMs - performance.now();
    if (waitMs <= 0) run();
    else setTimeout(run, waitMs);
  };
}

/** Resolves when every node is connected to, or is known to be away. */
export async function nodesConnected(cluster: Cluster): Promise<void> {
  await Promise.all(
    cluster.nodes().map(async (node) => {
      if (node.status === "ready" || node.status === "end") return;
      const settled = Promise.withResolvers<void>();
      for (const event of ["ready", "end"]) node.once(event, () => settled.resolve());
      if (node.status === "wait") node.connect().catch(() => {});
      await settled.promise;
    }),
  );
}
