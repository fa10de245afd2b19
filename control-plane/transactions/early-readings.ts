import type { Sql } from "../database.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { parseExactJson } from "./exact-json.ts";
import { isObject } from "./read-fields.ts";

/**
 * Files readings of 1.6 under their transaction that came before its start was back on record: after a Postgres that lost
 * its last commits they may be in two lanes, read in any order. Call it when the start was restored, before its early stop.
 */
export async function fileEarlyReadings(sql: Sql, station: KnownStation, transactionId: number): Promise<void> {
  const rows = await sql.query<{ epoch: string; seq: number; received_at: Date; action: string; raw: string }>(
    `select epoch::text as epoch, seq, received_at, action, raw from quarantine
     where station_id = $1 and action in ('MeterValues', 'StopTransaction') and reason = 'unknown transaction'
       and position($2 in raw) > 0 order by epoch, seq`,
    [station.id, String(transactionId)],
  );
  for (const { epoch, seq, received_at: receivedAt, action, raw } of rows) {
    const payload = parseExactJson(raw);
    if (!isObject(payload) || String(payload["transactionId"]) !== String(transactionId)) continue;
    await sql.query(
      `with early as (delete from meter_values where station_id = $1 and transaction_id = 0 and received_at = $3 returning *)
       insert into meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at)
       select e.station_id, t.id, e.sampled_at, e.shape, coalesce(nullif(e.connector, 0), t.connector_id, 0), e.vals, e.raw, e.received_at
       from early e join transactions t on t.station_id = $1 and t.transaction_id = $2
       on conflict do nothing`,
      [station.id, String(transactionId), receivedAt],
    );
    // A stop has more to say, and goes when it is applied.
    if (action === "MeterValues")
      await sql.query(`delete from quarantine where station_id = $1 and epoch = $2 and seq = $3 and received_at = $4`, [
        station.id,
        epoch,
        seq,
        receivedAt,
      ]);
  }
}
