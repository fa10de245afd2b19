import type { Environment } from "@dynamo-csms/proto/process/environment";
import type { ConfigReader } from "../config-reader.ts";

export interface DataTransferSettings {
  /** Modules with a hook each. */
  paths: readonly string[];
  /** Below the gateways' 5 s for a decision. */
  timeoutMs: number;
  /** What the hooks' threads see of the environment: variables of their own, and none of the process's secrets. */
  env: Readonly<Record<string, string>>;
}

const OWN = "DATA_TRANSFER_HOOK_";
const TIMEOUT = `${OWN}TIMEOUT_MS`;

/** Reads DATA_TRANSFER_HOOKS (paths, separated by commas), DATA_TRANSFER_HOOK_TIMEOUT_MS, and DATA_TRANSFER_HOOK_* for the hooks. */
export function readDataTransferSettings(read: ConfigReader, env: Environment): DataTransferSettings {
  const paths = read.text("DATA_TRANSFER_HOOKS", "").split(",");
  return {
    paths: paths.map((path) => path.trim()).filter((path) => path !== ""),
    timeoutMs: read.durationMs(TIMEOUT, 1_000, 50, 4_000),
    env: Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) =>
        name.startsWith(OWN) && name !== TIMEOUT && value !== undefined ? [[name, value]] : [],
      ),
    ),
  };
}
