import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process of this machine, told apart from a later one that was given the same number. */
export interface ProcessIdentity {
  pid: number;
  startedAt: string;
}

/** Undefined when there is no such process (or it has ended and only waits to be collected). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    if (process.platform !== "linux") {
      return { pid, startedAt: execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() };
    }
    // proc(5): the name in parentheses may hold anything; after it come state, … and as 20th the start time in ticks.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || !fields[19] ? undefined : { pid, startedAt: fields[19] };
  } catch {
    return undefined;
  }
}

/** Whether it still runs. */
export function isAlive(known: ProcessIdentity): boolean {
  return identifyProcess(known.pid)?.startedAt === known.startedAt;
}

/** Signals it, when it is still the one that was meant. Resolves to whether it was gone within the deadline. */
export async function endProcess(known: ProcessIdentity, signal: NodeJS.Signals, deadlineMs: number): Promise<boolean> {
  if (isAlive(known)) process.kill(known.pid, signal);
  for (const deadline = Date.now() + deadlineMs; isAlive(known);) {
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

/** The process that started it. */
export function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
