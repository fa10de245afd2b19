import { readdirSync, readFileSync } from "node:fs";

/** What a process, and those that it has started, have used and hold. */
export interface Usage {
  cpuSeconds: number;
  /** Of memory that several share each has its part. */
  residentBytes: number;
}

/** Linux's own unit of a process's time in /proc; it is the same on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** @returns undefined where there is no such process, or no /proc */
export function usageOf(pid: number, withChildren = false): Usage | undefined {
  const pids = withChildren ? [pid, ...childrenOf(pid)] : [pid];
  const usages = pids.map(ownUsage).filter((usage) => usage !== undefined);
  if (usages.length === 0) return undefined;
  return {
    cpuSeconds: usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    residentBytes: usages.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
  };
}

function ownUsage(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Fields 14 to 17 of proc(5): its own time, and that of children that have ended.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, residentBytes: residentOf(pid) };
  } catch {
    return undefined;
  }
}

function residentOf(pid: number): number {
  try {
    const [, pss] = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    if (pss !== undefined) return Number(pss) * 1_024;
  } catch {
    // Not ours to read: what it holds alone and what it shares are counted alike then.
  }
  const [, rss] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(rss ?? 0) * 1_024;
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((other) => Number.isInteger(other) && parentOf(other) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
