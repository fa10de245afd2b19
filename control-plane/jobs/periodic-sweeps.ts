import type pg from "pg";
import type { Logger } from "pino";
import type { JobMetrics } from "./job-metrics.ts";
import { pause } from "./pause.ts";

export interface PeriodicSweep {
  name: string;
  everyMs: number;
  /** Must be safe to run twice at once: the lock that keeps others away ends with its database connection. */
  run(): Promise<unknown>;
}

export interface PeriodicSweeps {
  start(): void;
  /** Resolves when the sweeps at work are done. */
  stop(): Promise<void>;
  /** No sweep is long overdue: each came to an end, good or bad, or to another process's lock, not long ago. */
  healthy(): boolean;
}

/** One that goes through a large table may take its time; one that takes longer than this hangs. */
const OVERDUE_MS = 900_000;

/** Namespace of our advisory locks: the first of the two lock keys. */
const LOCK_SPACE = 0x44594e;

/**
 * Runs each sweep again and again in one process at a time, wherever that is: a process that does not get the sweep's lock
 * leaves it to the one that has it. A sweep that throws is logged and runs again after its interval.
 */
export function createPeriodicSweeps(deps: {
  pool: pg.Pool;
  sweeps: readonly PeriodicSweep[];
  metrics: JobMetrics;
  log: Logger;
}): PeriodicSweeps {
  const { pool, sweeps, metrics, log } = deps;
  const stopping = new AbortController();
  const loops: Promise<void>[] = [];
  const endedAtMs = new Map<PeriodicSweep, number>();

  async function loop(sweep: PeriodicSweep): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const ran = await whileLocked(pool, sweep.name, sweep.run);
        metrics.sweeps.inc({ sweep: sweep.name, outcome: ran ? "done" : "elsewhere" });
      } catch (cause) {
        metrics.sweeps.inc({ sweep: sweep.name, outcome: "failed" });
        log.warn({ sweep: sweep.name, error: cause }, "sweep failed");
      }
      endedAtMs.set(sweep, performance.now());
      // Spread, so that several processes do not ask for the locks at the same moment for ever.
      await pause(sweep.everyMs * (0.9 + Math.random() * 0.2), stopping.signal);
    }
  }

  return {
    start() {
      for (const sweep of sweeps) {
        endedAtMs.set(sweep, performance.now());
        loops.push(loop(sweep));
      }
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
    healthy: () =>
      endedAtMs.size === sweeps.length &&
      [...endedAtMs].every(([{ everyMs }, at]) => performance.now() - at < 2 * everyMs + OVERDUE_MS),
  };
}

/** Runs `work` under an advisory lock. A lock of a transaction, because those of a session do not pass PgBouncer. @returns false when another process has it. */
async function whileLocked(pool: pg.Pool, name: string, work: () => Promise<unknown>): Promise<boolean> {
  const client = await pool.connect();
  let fault: Error | undefined;
  try {
    await client.query("begin");
    // The work goes through connections of its own meanwhile, for as long as it takes.
    await client.query("set local idle_in_transaction_session_timeout = 0");
    const { rows } = await client.query<{ locked: boolean }>(
      "select pg_try_advisory_xact_lock($1, hashtext($2)) as locked",
      [LOCK_SPACE, name],
    );
    if (rows[0]?.locked !== true) return false;
    await work();
    return true;
  } finally {
    await client.query("rollback").catch((rollbackFault: Error) => (fault = rollbackFault));
    client.release(fault);
  }
}
