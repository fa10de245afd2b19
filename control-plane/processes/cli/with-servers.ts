import { createLogger } from "@dynamo-csms/proto/process/logger";
import { connectionReady, connectRedis, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import type pg from "pg";
import { openPool } from "../../database.ts";

export interface Servers {
  pool: pg.Pool;
  redis: RedisConnection;
}

/** Runs a command on Postgres and Redis, both of them there before it changes anything, and closes them after it. */
export async function withServers(
  config: { databaseUrl: string; redis: RedisTarget },
  run: (servers: Servers) => Promise<void>,
): Promise<void> {
  const pool = openPool(config.databaseUrl, 4, "dynamo cli");
  const log = createLogger("warn", "cli");
  const redis = connectRedis(config.redis, "commands", { connectionName: "cli", log });
  try {
    await connectionReady(redis);
    await run({ pool, redis });
  } finally {
    redis.disconnect();
    await pool.end();
  }
}
