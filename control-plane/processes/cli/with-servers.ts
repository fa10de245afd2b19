import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { connectionReady, connectRedis, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import type pg from "pg";
import { ConfigReader, type SharedConfig } from "../../config-reader.ts";
import { openPool } from "../../database.ts";
import type { CommandIo } from "./cli-command.ts";
import { ServerAway } from "./cli-mistake.ts";

export interface Servers {
  pool: pg.Pool;
  redis: RedisConnection;
}

/** Whoever typed the command waits for it. */
const READY_TIMEOUT_MS = 10_000;

/** What every process is told. Throws BadConfiguration with every mistake. */
export function readShared({ env, readFile }: CommandIo): Readonly<SharedConfig> {
  const read = new ConfigReader(env, readFile);
  return read.finish(read.shared());
}

/** DATABASE_URL alone. Throws BadConfiguration. */
export function readDatabaseUrl({ env, readFile }: CommandIo): string {
  const read = new ConfigReader(env, readFile);
  return read.finish({ databaseUrl: read.databaseUrl() }).databaseUrl;
}

/** Runs a command that needs Postgres alone, and closes it after it. */
export async function onPostgres(io: CommandIo, run: (pool: pg.Pool) => Promise<void>): Promise<void> {
  const pool = openPool(readDatabaseUrl(io), 1, "dynamo cli");
  try {
    await run(pool);
  } finally {
    await pool.end();
  }
}

/** Runs a command on Postgres and Redis, both of them there before it changes anything, and closes them after it. */
export async function withServers(
  config: { databaseUrl: string; redis: RedisTarget },
  run: (servers: Servers) => Promise<void>,
): Promise<void> {
  const pool = openPool(config.databaseUrl, 4, "dynamo cli");
  const log = createLogger("fatal", "cli");
  const redis = connectRedis(config.redis, "commands", { connectionName: "cli", log });
  try {
    const isReady = await Promise.race([
      connectionReady(redis).then(() => true),
      sleep(READY_TIMEOUT_MS, false, { ref: false }),
    ]);
    if (!isReady) throw new ServerAway("Redis (REDIS_URL) does not answer; `doctor` says more, then try again");
    await run({ pool, redis });
  } finally {
    redis.disconnect();
    await pool.end();
  }
}
