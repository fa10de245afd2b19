import type { RedisTarget } from "@dynamo-csms/proto/redis-target";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";

/** A connection to one Redis, to a primary found by Sentinel, or to a Redis Cluster. All commands in use work on each. */
export type RedisConnection = Redis | Cluster;

/**
 * What a connection is for decides how it fails:
 * - commands: at once when Redis is away, and after COMMAND_TIMEOUT_MS when it hangs; nothing is queued or repeated
 * - subscriber: waits and subscribes again by itself
 * - blocking: for BullMQ workers and XREAD BLOCK, which wait for Redis however long it takes
 */
export type RedisPurpose = "commands" | "subscriber" | "blocking";

/** A REST caller should hear of an absent Redis before losing patience. */
const COMMAND_TIMEOUT_MS = 2_000;

/** Half a second at the most: a failover should not be waited for longer than it takes. */
const retryDelayMs = (times: number) => Math.min(50 * times, 500) * (0.75 + Math.random() / 2);

const OPTIONS = {
  commands: { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS },
  subscriber: { enableOfflineQueue: true, autoResubscribe: true, maxRetriesPerRequest: null },
  blocking: { enableOfflineQueue: true, maxRetriesPerRequest: null },
} satisfies Record<RedisPurpose, RedisOptions>;

/**
 * Starts connecting and goes on trying for ever; `connectionReady` tells when. Commands in flight at a break are never
 * sent again by the client: what may be repeated is repeated by who sent it.
 */
export function connectRedis(
  target: RedisTarget,
  purpose: RedisPurpose,
  deps: { connectionName: string; log: Logger },
): RedisConnection {
  const connection = open(target, purpose, `${deps.connectionName}:${purpose}`);
  // One line per change of state, not per attempt.
  let away = false;
  connection.on("error", (error: Error) => {
    if (!away) deps.log.error({ purpose, error: error.message }, "redis away");
    away = true;
  });
  connection.on("ready", () => {
    if (away) deps.log.info({ purpose }, "redis back");
    away = false;
  });
  return connection;
}

function open(target: RedisTarget, purpose: RedisPurpose, connectionName: string): RedisConnection {
  const { enableOfflineQueue, ...forPurpose } = OPTIONS[purpose];
  const options = {
    ...forPurpose,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    connectionName,
    // RESP2: the client's RESP3 is younger than its cluster and subscriber code.
    protocol: 2 as const,
  };
  switch (target.kind) {
    case "single":
      return new Redis(target.url, { ...options, enableOfflineQueue, retryStrategy: retryDelayMs });
    case "sentinel": {
      const { kind: _, ...sentinel } = target;
      return new Redis({
        ...options,
        ...sentinel,
        enableOfflineQueue,
        retryStrategy: retryDelayMs,
        sentinelRetryStrategy: retryDelayMs,
      });
    }
    case "cluster":
      return new Cluster(target.nodes, {
        redisOptions: options,
        enableOfflineQueue,
        shardedSubscribers: purpose === "subscriber",
        clusterRetryStrategy: retryDelayMs,
      });
  }
}

/** Resolves when the connection can take commands, at once or after the wait for an absent Redis. */
export async function connectionReady(connection: RedisConnection): Promise<void> {
  if (connection.status === "ready") return;
  await new Promise<void>((resolve) => connection.once("ready", () => resolve()));
}

/** True when Redis answers now: for readiness checks. Never rejects. */
export async function redisAnswers(connection: RedisConnection): Promise<boolean> {
  try {
    return (await connection.ping()) === "PONG";
  } catch {
    return false;
  }
}
