import { readFileSync } from "node:fs";
import { identifyProcess, isAlive, parentOf, type ProcessIdentity } from "./process-identity.ts";

/**
 * Calls back when one of the processes that this one was started through is gone: an `npm start` that was killed.
 * Nobody could reach this one with Ctrl-C any more.
 */
export function whenAbandoned(startedByNpm: boolean, abandoned: () => void): void {
  const ancestors = startedThrough(startedByNpm);
  const timer = setInterval(() => {
    if (ancestors.every(isAlive)) return;
    clearInterval(timer);
    abandoned();
  }, 1_000);
  timer.unref();
}

/** The launcher, and with npm all up to npm itself: a shell may stand between. */
function startedThrough(startedByNpm: boolean): ProcessIdentity[] {
  const chain: ProcessIdentity[] = [];
  for (let pid: number | undefined = process.ppid; pid !== undefined && pid > 1; pid = parentOf(pid)) {
    const identity = identifyProcess(pid);
    if (!identity) break;
    chain.push(identity);
    if (isNpm(pid)) return chain;
    if (!startedByNpm || chain.length === 5) break;
  }
  return chain.slice(0, 1);
}

function isNpm(pid: number): boolean {
  try {
    return /^npm\b|\bnpm(-cli\.js)?\b/.test(
      readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, 2).join(" "),
    );
  } catch {
    return false;
  }
}
