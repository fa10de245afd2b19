import type pg from "pg";
import { inTransaction } from "../database.ts";
import { ENDED, endedCommand, type EndedRow } from "./record-outcome.ts";
import { type OutcomeDeps, runOutcomeEffects } from "./run-outcome-effects.ts";

/** The gateway's word may still be in the lane: the intake is normally 50 ms behind, and its process may restart. */
const GRACE_SECONDS = 5;

/**
 * Ends commands that nobody followed to their end, because the process that asked died, or because they waited for a station
 * that did not come: `unknown` where a gateway may have had it, `not_connected` where surely none had. A late outcome from
 * the lane changes nothing any more.
 * @returns how many it ended.
 */
export async function endOverdueCommands(pool: pg.Pool, limit: number, deps: OutcomeDeps): Promise<number> {
  return inTransaction(pool, async (sql) => {
    const rows = await sql.query<EndedRow>(
      `update commands
       set final_at = now(),
         state = case when state = 'queued' then 'not_connected' else 'unknown' end,
         reason = case
           when state <> 'queued' then 'no word from the gateway by the deadline'
           when deliver = 'when_connected' then coalesce(reason, 'the charge point did not connect in time')
           else 'never handed to a gateway' end
       where id in (
         select id from commands where final_at is null and deadline_at < now() - make_interval(secs => $2)
         order by deadline_at limit $1 for update skip locked)
         and final_at is null
       returning ${ENDED}`,
      [limit, GRACE_SECONDS],
    );
    for (const row of rows) await runOutcomeEffects(sql, endedCommand(row), deps);
    return rows.length;
  });
}

/**
 * `end` for the periodic sweep, but not while the lanes may hold outcomes that the intake is still to file: for `catchUpMs`
 * after the start of this process, and after an outage of Postgres, which shows as more than `gapMs` without a call: the
 * sweep runs under a lock of Postgres.
 */
export function afterCatchingUp(
  end: () => Promise<unknown>,
  { catchUpMs, gapMs, nowMs }: { catchUpMs: number; gapMs: number; nowMs(): number },
): () => Promise<void> {
  let calledMs = nowMs();
  let quietUntilMs = calledMs + catchUpMs;
  return async () => {
    const now = nowMs();
    if (now - calledMs > gapMs) quietUntilMs = now + catchUpMs;
    calledMs = now;
    if (now >= quietUntilMs) await end();
  };
}
