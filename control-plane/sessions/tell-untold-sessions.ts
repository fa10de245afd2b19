import type pg from "pg";
import { inTransaction } from "../database.ts";
import type { TransactionKey } from "../transactions/give-up-transactions.ts";
import { tellSessions } from "./tell-sessions.ts";

/** In the words of its index (0010). */
export const UNTOLD = `(state = 'ended' and not ended_told)
  or (started_at is not null and not started_told and (ocpp_version <> '1.6' or start_confirmed_at is not null))`;

/**
 * Tells sessions that a process of a former release began or ended during a rolling upgrade, and that nothing has touched
 * since: whoever runs this release tells them itself. At most `limit` of them; a sweep of the jobs process, which may run
 * twice at once. @returns how many were looked at.
 */
export async function tellUntoldSessions(deps: { pool: pg.Pool; limit: number }): Promise<number> {
  return inTransaction(deps.pool, async (sql) => {
    // Those that somebody has under way are theirs.
    const untold = await sql.query<{ station_id: string; transaction_id: string }>(
      `select station_id::text as station_id, transaction_id from transactions
       where ${UNTOLD} order by transactions.id limit $1 for update skip locked`,
      [deps.limit],
    );
    await tellSessions(
      sql,
      untold.map((row): TransactionKey => ({ stationId: row.station_id, transactionId: row.transaction_id })),
    );
    return untold.length;
  });
}
