import type { RedisTarget } from "@dynamo-csms/proto/redis-target";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";

/** A connection to one Redis, to a primary found by Sentinel, or to a Redis Cluster. All commands in use work on each. */
export type RedisConnection = Redis | Cluster;

/**
 * What a connection is for decides how it fails:
 * - commands: at once when Redis is away, and after COMMAND_TIMEOUT_MS when it hangs; nothing is queued or repeated
 * - subscriber: waits and subscribes again by itself
 * - lane: nothing is queued or repeated, ever: the lane writer resumes by the lane's last id
 */
export type RedisPurpose = "commands" | "subscriber" | "lane";

/** Below the 5 s after which a handshake's answer is of no use to the station. */
const COMMAND_TIMEOUT_MS = 2_000;

/** Half a second at the most: a failover should not be waited for longer than it takes. */
const retryStrategy = (times: number) => Math.min(50 * times, 500) * (0.75 + Math.random() / 2);

const OPTIONS = {
  commands: { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS },
  subscriber: { enableOfflineQueue: true, autoResubscribe: true, maxRetriesPerRequest: null },
  lane: { enableOfflineQueue: false, maxRetriesPerRequest: 0 },
} satisfies Record<RedisPurpose, RedisOptions>;

/**
 * Starts connecting (and goes on trying for ever); `connectionReady` tells when. `autoResendUnfulfilledCommands` is off
 * everywhere: after a reconnect the client would send again what may have been carried out.
 */
export function connectRedis(
  target: RedisTarget,
  purpose: RedisPurpose,
  deps: { connectionName: string; log: Logger },
): RedisConnection {
  const connection = open(target, purpose, `${deps.connectionName}:${purpose}`);
  // One line per change of state, not per attempt. The lane writer reports its own.
  let away = purpose === "lane";
  connection.on("error", (error: Error) => {
    if (!away) deps.log.error({ purpose, error: error.message }, "redis away");
    away = true;
  });
  connection.on("ready", () => {
    if (away && purpose !== "lane") deps.log.info({ purpose }, "redis back");
    away = purpose === "lane";
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
      return new Redis(target.url, { ...options, enableOfflineQueue, retryStrategy });
    case "sentinel": {
      const { kind: _kind, ...sentinel } = target;
      return new Redis({
        ...options,
        ...sentinel,
        enableOfflineQueue,
        retryStrategy,
        sentinelRetryStrategy: retryStrategy,
      });
    }
    case "cluster":
      return new Cluster(target.nodes, {
        redisOptions: options,
        enableOfflineQueue,
        shardedSubscribers: purpose === "subscriber",
        clusterRetryStrategy: retryStrategy,
      });
  }
}

/** Resolves when the connection can take commands, at once or after the wait for an absent Redis. */
export async function connectionReady(connection: RedisConnection): Promise<void> {
  if (connection.status === "ready") return;
  await new Promise<void>((resolve) => connection.once("ready", () => resolve()));
}
