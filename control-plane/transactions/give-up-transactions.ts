import type { Sql } from "../database.ts";

/** A transaction as its station names it. */
export interface TransactionKey {
  stationId: string;
  transactionId: string;
}

/**
 * Where these transactions began, whatever ran on the same connector before is over: its end was lost, or is still to
 * come. It is marked as given up, not as ended, which nobody has said. What began earlier is told by the station's clock
 * and by ours together: a wrong clock alone gives up nothing.
 */
export async function giveUpOlder(sql: Sql, begun: readonly TransactionKey[]): Promise<void> {
  if (begun.length === 0) return;
  await sql.query(
    `update transactions set given_up_at = now(), given_up_reason = 'newer_transaction'
     where id in (
       select old.id from unnest($1::bigint[], $2::text[]) as n (station_id, transaction_id)
       join transactions newer using (station_id, transaction_id)
       join transactions old on old.station_id = newer.station_id and old.state = 'active' and old.id <> newer.id and old.given_up_at is null
         and old.evse_id is not distinct from newer.evse_id
         and (old.connector_id = newer.connector_id or old.connector_id is null or newer.connector_id is null)
         and old.started_at < newer.started_at and old.start_received_at < newer.start_received_at
       where newer.connector_id is not null or newer.evse_id is not null
       order by old.id for update of old)`,
    [begun.map((key) => key.stationId), begun.map((key) => key.transactionId)],
  );
}
