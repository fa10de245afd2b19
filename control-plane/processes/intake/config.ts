import type { Environment } from "@dynamo-csms/proto/process/environment";
import { ConfigReader, type SharedConfig } from "../../config-reader.ts";

export interface IntakeConfig extends SharedConfig {
  /** Unique per process start. */
  holder: string;
  /** At least as much as a standby of Postgres may lag behind; entries stay in Redis that long after their commit. */
  replayWindowMs: number;
  lingerMs: number;
  logHeartbeats: boolean;
  postgresConnections: number;
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readConfig(
  env: Environment,
  surroundings: { readFile(path: string): string; holder: string },
): Readonly<IntakeConfig> {
  const read = new ConfigReader(env, surroundings.readFile);
  return read.finish({
    ...read.shared(),
    holder: surroundings.holder,
    replayWindowMs: read.durationMs("REPLAY_WINDOW", 60_000, 0, 3_600_000),
    lingerMs: read.durationMs("INTAKE_LINGER", 20, 0, 1_000),
    logHeartbeats: read.boolean("LOG_HEARTBEATS", false),
    postgresConnections: read.integer("INTAKE_POSTGRES_CONNECTIONS", 8, 2, 200),
  });
}
