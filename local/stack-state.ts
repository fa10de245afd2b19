import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { endProcess, identifyProcess, isAlive, type ProcessIdentity } from "./process-identity.ts";

/** What `.local/stack.json` holds while the stack runs, by name. */
export interface StackState {
  phase: "starting" | "ready" | "stopping";
  supervisor: ProcessIdentity;
  processes: Record<string, ProcessIdentity>;
}

/** Undefined when there is none, or it cannot be read (a machine that went down while it was written). */
export function readState(file: string): StackState | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as StackState;
  } catch {
    return undefined;
  }
}

/** The state of this process's stack. Every change is in the file before the next thing happens. */
export function openState(file: string) {
  const supervisor = identifyProcess(process.pid);
  if (!supervisor) throw new Error("this process cannot find itself in the list of processes");
  const state: StackState = { phase: "starting", supervisor, processes: {} };
  const save = () => {
    writeFileSync(`${file}.tmp`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
  };
  save();
  return {
    setPhase(phase: StackState["phase"]) {
      state.phase = phase;
      save();
    },
    started(name: string, pid: number) {
      const identity = identifyProcess(pid);
      if (identity) state.processes[name] = identity;
      save();
    },
    ended(name: string) {
      delete state.processes[name];
      save();
    },
    close: () => rmSync(file, { force: true }),
  };
}

/**
 * Ends what a supervisor that was killed left running: Postgres and Redis after those who use them.
 *
 * @returns the names of those it ended
 */
export async function endLeftovers(state: StackState): Promise<string[]> {
  const ended: string[] = [];
  const isData = (name: string) => name === "postgres" || name === "redis";
  const order = Object.entries(state.processes).toSorted(([a], [b]) => Number(isData(a)) - Number(isData(b)));
  for (const [name, identity] of order) {
    if (!isAlive(identity)) continue;
    // Postgres: SIGINT ends the open sessions, SIGTERM would wait for them.
    const signal = name === "postgres" ? "SIGINT" : "SIGTERM";
    if (!(await endProcess(identity, signal, 20_000))) await endProcess(identity, "SIGKILL", 5_000);
    ended.push(name);
  }
  return ended;
}
