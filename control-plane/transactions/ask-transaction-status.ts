import type pg from "pg";
import { queueCommand } from "../commands/queue-command.ts";
import { inTransaction, type Sql } from "../database.ts";

export interface TransactionQuestions {
  /** An ended transaction with a hole is asked about this long after its last event: it may be on its way. */
  graceMs: number;
  /** A running one that is silent for this long is asked about. */
  silenceMs: number;
}

/**
 * Then it stays as it is until the station speaks of it again: a station that does not answer is not asked for ever. The
 * index transactions_in_question leaves out what was asked so often.
 */
const MAX_ASKED = 3;

interface Row {
  id: string;
  station_id: string;
  org_id: string;
  transaction_id: string;
  ocpp_version: "2.0.1" | "2.1";
}

/**
 * Asks stations of 2.x what they have left to say (GetTransactionStatus, P2 E14) of transactions with a hole in their
 * events, which is legal (E04.FR.07), and of running ones that have gone silent. Each is asked MAX_ASKED times at most, with
 * growing pauses; what comes of it is in transaction-status-outcome.ts. Safe to run twice at once.
 * @returns how many questions were queued.
 */
export async function askTransactionStatus(
  pool: pg.Pool,
  { graceMs, silenceMs }: TransactionQuestions,
  limit: number,
): Promise<number> {
  return inTransaction(pool, async (sql) => {
    const rows = await sql.query<Row>(
      `select t.id::text as id, t.station_id::text as station_id, t.org_id, t.transaction_id, s.ocpp_version
       from transactions t join stations s on s.id = t.station_id
       where t.ocpp_version <> '1.6' and t.status_settled_at is null and (t.state = 'active' or not t.complete)
         and (t.state = 'ended' or t.given_up_at is null) and t.status_asked < ${MAX_ASKED}
         and coalesce(t.last_event_at, t.created_at) < now() - case when t.state = 'ended' then $1::float8 else $2::float8 end * interval '1 ms'
         and coalesce(t.status_asked_at, '-infinity') < now() - $1::float8 * (1 << t.status_asked) * interval '1 ms'
         -- What cannot be asked: too long for the message, or a station that is not to be called.
         and length(t.transaction_id) <= 36 and s.ocpp_version <> '1.6' and s.registration = 'accepted' and s.retired_at is null
       order by t.id limit $3 for update of t skip locked`,
      [graceMs, silenceMs, limit],
    );
    for (const row of rows) await ask(sql, row);
    await sql.query(
      `update transactions set status_asked = status_asked + 1, status_asked_at = now() where id = any($1::bigint[])`,
      [rows.map((row) => row.id)],
    );
    return rows.length;
  });
}

/** Waits for the station's next connection, for a day; while it waits no second one is queued. */
async function ask(sql: Sql, row: Row): Promise<void> {
  await queueCommand(sql, {
    stationId: row.station_id,
    orgId: row.org_id,
    version: row.ocpp_version,
    action: "GetTransactionStatus",
    payload: { transactionId: row.transaction_id },
    requestedBy: "system:transaction-status",
    dedupeKey: `transaction-status:${row.transaction_id}`,
  });
}
