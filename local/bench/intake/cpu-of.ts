import { readdirSync, readFileSync } from "node:fs";

/** /proc counts in hundredths of a second, on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** CPU time of a process so far, ms: user and system, of all its threads; 0 when it is gone. */
export const cpuMsOf = (pid: number): number => {
  const stat = statOf(pid);
  return stat === undefined ? 0 : (stat.own + stat.reaped) * MS_PER_TICK;
};

/** The same of a server with all its children, those included that have ended: a Postgres with its sessions, checkpointer and WAL writer. */
export function cpuMsOfTree(pid: number): number {
  let ms = cpuMsOf(pid);
  for (const name of readdirSync("/proc")) {
    const child = /^\d+$/.test(name) ? Number(name) : undefined;
    if (child !== undefined && statOf(child)?.parent === pid) ms += cpuMsOf(child);
  }
  return ms;
}

function statOf(pid: number): { parent: number; own: number; reaped: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // Behind the name, which may hold anything: state, ppid, …, utime, stime, cutime, cstime (proc_pid_stat(5)).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (field: number) => Number(fields[field - 3]);
  return { parent: at(4), own: at(14) + at(15), reaped: at(16) + at(17) };
}
