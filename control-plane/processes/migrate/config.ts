import type { Environment } from "@dynamo-csms/proto/process/environment";
import type { LogLevel } from "@dynamo-csms/proto/process/logger";
import { ConfigReader } from "../../config-reader.ts";

export interface MigrateConfig {
  databaseUrl: string;
  logLevel: LogLevel;
  /** How long a Postgres that does not answer yet is waited for. */
  waitMs: number;
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readConfig(env: Environment, readFile: (path: string) => string): Readonly<MigrateConfig> {
  const read = new ConfigReader(env, readFile);
  return read.finish({
    databaseUrl: read.databaseUrl(),
    logLevel: read.logLevel(),
    waitMs: read.durationMs("MIGRATE_WAIT_MS", 60_000, 0, 600_000),
  });
}
