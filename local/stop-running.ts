import { rmSync } from "node:fs";
import { endProcess, isAlive } from "./process-identity.ts";
import { endLeftovers, readState } from "./stack-state.ts";

const ORDERLY_STOP_MS = 120_000; // above the sum of what the parts may take

/**
 * Ends the stack in order; what a killed supervisor left behind is ended as well.
 *
 * @param stateFile `.local/stack.json`
 */
export async function stopRunning(stateFile: string): Promise<"stopped" | "not-running"> {
  const state = readState(stateFile);
  if (!state) return "not-running";
  const wasAlive = isAlive(state.supervisor);
  if (wasAlive && !(await endProcess(state.supervisor, "SIGTERM", ORDERLY_STOP_MS)))
    await endProcess(state.supervisor, "SIGKILL", 5_000);
  // The file is still there when the supervisor was killed: then its processes may be, too.
  const left = readState(stateFile);
  const ended = left ? await endLeftovers(left) : [];
  rmSync(stateFile, { force: true });
  return wasAlive || ended.length > 0 ? "stopped" : "not-running";
}
