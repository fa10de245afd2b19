import type { Environment } from "@dynamo-csms/proto/process/environment";
import type { LogLevel } from "@dynamo-csms/proto/process/logger";
import { ConfigReader } from "../../config-reader.ts";

export interface WaitConfig {
  databaseUrl: string;
  logLevel: LogLevel;
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readConfig(env: Environment, readFile: (path: string) => string): Readonly<WaitConfig> {
  const read = new ConfigReader(env, readFile);
  return read.finish({ databaseUrl: read.databaseUrl(), logLevel: read.logLevel() });
}
