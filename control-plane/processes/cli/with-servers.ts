import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { connectionReady, connectRedis, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import type pg from "pg";
import { openPool } from "../../database.ts";
import { CliMistake } from "./cli-mistake.ts";

export interface Servers {
  pool: pg.Pool;
  redis: RedisConnection;
}

/** Whoever typed the command waits for it. */
const READY_TIMEOUT_MS = 10_000;

/** Runs a command on Postgres and Redis, both of them there before it changes anything, and closes them after it. */
export async function withServers(
  config: { databaseUrl: string; redis: RedisTarget },
  run: (servers: Servers) => Promise<void>,
): Promise<void> {
  const pool = openPool(config.databaseUrl, 4, "dynamo cli");
  const log = createLogger("warn", "cli");
  const redis = connectRedis(config.redis, "commands", { connectionName: "cli", log });
  try {
    const isReady = await Promise.race([
      connectionReady(redis).then(() => true),
      sleep(READY_TIMEOUT_MS, false, { ref: false }),
    ]);
    if (!isReady) throw new CliMistake("Redis (REDIS_URL) does not answer; `doctor` says more");
    await run({ pool, redis });
  } finally {
    redis.disconnect();
    await pool.end();
  }
}
