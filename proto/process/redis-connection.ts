import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";
import {
  type ClusterTarget,
  clusterCredentials,
  connectNodesEarly,
  nodesConnected,
  paceRefreshes,
} from "./redis-cluster.ts";
import type { RedisAddress, RedisTarget } from "./redis-target.ts";
import { followSentinels } from "./redis-sentinel.ts";

/** A connection to one Redis, to a primary found by Sentinel, or to a Redis Cluster. All commands in use work on each. */
export type RedisConnection = Redis | Cluster;

/**
 * What a connection is for decides how it fails:
 * - commands: at once when Redis is away, and after COMMAND_TIMEOUT_MS when it hangs; nothing is queued or repeated
 * - subscriber: waits and subscribes again by itself
 * - blocking: for BullMQ workers and XREAD BLOCK, which wait for Redis however long it takes
 * - lane: nothing is queued or repeated, ever: the lane writer resumes by the lane's last id
 */
export type RedisPurpose = "commands" | "subscriber" | "blocking" | "lane";

/** One server of a cluster, under the address at which it is reached. */
export type ClusterNode = { kind: "node"; cluster: ClusterTarget; address: RedisAddress };

/** A REST caller should hear of an absent Redis before losing patience; a station's handshake is of no use after 5 s. */
const COMMAND_TIMEOUT_MS = 2_000;
/** A server that owes an answer for so long is left, for another that took its place may be there. */
const SILENCE_MS = 4_000;
/** How soon a subscriber notices that its server has no slots any more, when that one neither answers nor closes. */
const SLOTS_EVERY_MS = 5_000;

/** Half a second at the most: a failover should not be waited for longer than it takes. */
const retryDelayMs = (times: number) => Math.min(50 * times, 500) * (0.75 + Math.random() / 2);

const OPTIONS = {
  commands: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
  },
  subscriber: { enableOfflineQueue: true, autoResubscribe: true, maxRetriesPerRequest: null },
  blocking: { enableOfflineQueue: true, maxRetriesPerRequest: null },
  lane: { enableOfflineQueue: false, maxRetriesPerRequest: 0 },
} satisfies Record<RedisPurpose, RedisOptions>;

/**
 * Starts connecting and goes on trying for ever; `connectionReady` tells when. Commands in flight at a break are never
 * sent again by the client: they may have been carried out, and what may be repeated is repeated by who sent it. (The
 * exception is "blocking" on a cluster: its users only read, or repeat by themselves.)
 * @param deps.connectionName how CLIENT LIST shows it, together with the purpose
 */
export function connectRedis(
  target: RedisTarget,
  purpose: Exclude<RedisPurpose, "lane">,
  deps: { connectionName: string; log: Logger },
): RedisConnection {
  const connectionName = `${deps.connectionName}:${purpose}`;
  const connection =
    target.kind === "cluster"
      ? openCluster(target, purpose, connectionName)
      : openServer(target, purpose, connectionName);
  logAbsence(connection, purpose, deps.log);
  return connection;
}

/**
 * Starts connecting to the one server that has a lane: commands reach it in the order in which they were given, and WAIT
 * means them. Not to be used after its first error.
 */
export function connectLane(
  server: Exclude<RedisTarget, ClusterTarget> | ClusterNode,
  deps: { connectionName: string },
): Redis {
  const connection = openServer(server, "lane", `${deps.connectionName}:lane`);
  // Without a listener an error would end the process; the lane writer tells of its connections itself.
  connection.on("error", () => {});
  return connection;
}

/** One line per change of state, not per attempt. */
function logAbsence(connection: RedisConnection, purpose: RedisPurpose, log: Logger): void {
  let away = false;
  connection.on("error", (error: Error) => {
    if (!away) log.error({ purpose, error: error.message }, "redis away");
    away = true;
  });
  connection.on("ready", () => {
    if (away) log.info({ purpose }, "redis back");
    away = false;
  });
}

const COMMON = {
  autoResendUnfulfilledCommands: false,
  connectTimeout: 5_000,
  keepAlive: 10_000,
  // RESP2: the client's RESP3 is younger than its cluster and subscriber code.
  protocol: 2,
} as const satisfies RedisOptions;

function openServer(
  server: Exclude<RedisTarget, ClusterTarget> | ClusterNode,
  purpose: RedisPurpose,
  connectionName: string,
): Redis {
  const options = { ...COMMON, ...OPTIONS[purpose], connectionName, retryStrategy: retryDelayMs };
  switch (server.kind) {
    case "single":
      return new Redis(server.url, options);
    case "node":
      // Never to the same address again: another node may have the slots by then.
      return new Redis({
        ...options,
        ...clusterCredentials(server.cluster),
        ...server.address,
        retryStrategy: () => null,
      });
    case "sentinel": {
      const { kind: _kind, natMap, ...sentinel } = server;
      const connection = new Redis({
        ...options,
        ...sentinel,
        sentinelRetryStrategy: retryDelayMs,
        sentinelCommandTimeout: 1_000,
        ...(natMap === undefined ? {} : { natMap: { ...natMap } }),
      });
      followSentinels(connection, server, retryDelayMs);
      return connection;
    }
  }
}

function openCluster(target: ClusterTarget, purpose: Exclude<RedisPurpose, "lane">, connectionName: string): Cluster {
  const { enableOfflineQueue, ...forPurpose } = OPTIONS[purpose];
  const credentials = clusterCredentials(target);
  const cluster = new Cluster(target.nodes, {
    redisOptions: { ...COMMON, ...forPurpose, ...credentials, connectionName },
    enableOfflineQueue,
    shardedSubscribers: purpose === "subscriber",
    clusterRetryStrategy: retryDelayMs,
    ...(target.natMap === undefined ? {} : { natMap: { ...target.natMap } }),
    // Of no use to a certificate: names must stay names.
    ...(credentials.tls === undefined ? {} : { dnsLookup: (name, callback) => callback(null, name) }),
    // Else the client would send again what was in flight when a connection broke.
    ...(purpose === "commands" ? { retryDelayOnFailover: 0 } : {}),
    ...(purpose === "subscriber" ? { slotsRefreshInterval: SLOTS_EVERY_MS } : {}),
  });
  paceRefreshes(cluster);
  if (purpose === "commands") connectNodesEarly(cluster);
  return cluster;
}

/** Resolves when the connection can take commands, at once or after the wait for an absent Redis. */
export async function connectionReady(connection: RedisConnection): Promise<void> {
  if (connection.status !== "ready") await new Promise<void>((resolve) => connection.once("ready", () => resolve()));
  if (connection instanceof Cluster && connection.options.enableOfflineQueue === false)
    await nodesConnected(connection);
}

/** True when Redis answers now: for readiness checks. Never rejects. */
export async function redisAnswers(connection: RedisConnection): Promise<boolean> {
  try {
    return (await connection.ping()) === "PONG";
  } catch {
    return false;
  }
}
