import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";
import type { RedisTarget } from "./redis-target.ts";

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

/** A REST caller should hear of an absent Redis before losing patience; a station's handshake is of no use after 5 s. */
const COMMAND_TIMEOUT_MS = 2_000;

/** Half a second at the most: a failover should not be waited for longer than it takes. */
const retryDelayMs = (times: number) => Math.min(50 * times, 500) * (0.75 + Math.random() / 2);

const OPTIONS = {
  commands: { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS },
  subscriber: { enableOfflineQueue: true, autoResubscribe: true, maxRetriesPerRequest: null },
  blocking: { enableOfflineQueue: true, maxRetriesPerRequest: null },
  lane: { enableOfflineQueue: false, maxRetriesPerRequest: 0 },
} satisfies Record<RedisPurpose, RedisOptions>;

/**
 * Starts connecting and goes on trying for ever; `connectionReady` tells when. Commands in flight at a break are never
 * sent again by the client: they may have been carried out, and what may be repeated is repeated by who sent it.
 * @param deps.connectionName how CLIENT LIST shows it, together with the purpose
 */
export function connectRedis(
  target: RedisTarget,
  purpose: RedisPurpose,
  deps: { connectionName: string; log: Logger },
): RedisConnection {
  const connection = open(target, purpose, `${deps.connectionName}:${purpose}`);
  // Without a listener an error would end the process; the lane writer tells of its connections itself.
  if (purpose === "lane") connection.on("error", () => {});
  else logAbsence(connection, purpose, deps.log);
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
      const { kind: _kind, ...sentinel } = target;
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
