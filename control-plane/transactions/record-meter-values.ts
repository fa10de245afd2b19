import type { Sql } from "../database.ts";
import type { MeterReading } from "./meter-reading.ts";
import type { MeterShapes } from "./meter-shapes.ts";
import { type QuarantinedMessage, quarantine } from "./quarantine.ts";

/** One MeterValue element to be filed. */
export interface ReceivedReading {
  stationId: string;
  /** As the station names it; undefined: outside a transaction. */
  transactionId: string | undefined;
  /** 1.6: the connector id; 2.x: the EVSE id. 0 is the whole station. Undefined: where the transaction takes place. */
  connector: number | undefined;
  receivedAt: Date;
  reading: MeterReading;
  /** Where the reading goes, beside its row, when its transaction is not known. */
  message: QuarantinedMessage;
}

/**
 * Files readings, one row each. A resent one is the same row. Readings of a transaction that is not on record are filed
 * without it, and their message is set aside; of a station that has introduced too many shapes, those of a new one are in
 * the message that is set aside, and nowhere else.
 */
export async function recordMeterValues(
  sql: Sql,
  shapes: MeterShapes,
  received: readonly ReceivedReading[],
): Promise<void> {
  if (received.length === 0) return;
  const transactions = await findTransactions(sql, received);
  const shapeIds = await shapes.idsOf(
    sql,
    received.map((r) => ({ stationId: r.stationId, shape: r.reading.shape })),
  );
  const lost = received.filter((r) => r.transactionId !== undefined && !transactions.has(keyOf(r)));
  const shapeless = received.filter((_, place) => shapeIds[place] === undefined);
  // One message has many readings; set aside once per reading it would be as large as its square.
  await quarantine(sql, [...new Set(lost.map((r) => r.message))]);
  await quarantine(
    sql,
    [...new Set(shapeless.map((r) => r.message))].map((message) => ({
      ...message,
      reason: "too many kinds of readings",
    })),
  );
  const filed = received.flatMap((r, place) => {
    const shapeId = shapeIds[place];
    return shapeId === undefined ? [] : [{ ...r, shapeId }];
  });
  await sql.query(
    `insert into meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at)
     select station_id, transaction_id, sampled_at, shape, connector, vals::numeric[], raw::text[], received_at
     from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::int[], $5::int[], $6::text[], $7::text[], $8::timestamptz[])
       as m (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at)
     on conflict do nothing`,
    [
      filed.map((r) => r.stationId),
      filed.map((r) => transactions.get(keyOf(r))?.id ?? "0"),
      filed.map((r) => (r.reading.sampledAt ?? r.receivedAt).toISOString()),
      filed.map((r) => r.shapeId),
      filed.map((r) => r.connector ?? transactions.get(keyOf(r))?.connector ?? 0),
      filed.map((r) => arrayLiteral(r.reading.values)),
      filed.map((r) => (r.reading.raw === undefined ? null : arrayLiteral(r.reading.raw))),
      filed.map((r) => r.receivedAt.toISOString()),
    ],
  );
}

const keyOf = (r: ReceivedReading) => `${r.stationId}/${r.transactionId ?? ""}`;

async function findTransactions(
  sql: Sql,
  received: readonly ReceivedReading[],
): Promise<Map<string, { id: string; connector: number }>> {
  const named = received.filter((r) => r.transactionId !== undefined);
  if (named.length === 0) return new Map();
  const rows = await sql.query<{ id: string; station_id: string; transaction_id: string; connector: number }>(
    `select id::text as id, station_id::text as station_id, transaction_id, coalesce(evse_id, connector_id, 0) as connector
     from transactions
     where (station_id, transaction_id) in (select * from unnest($1::bigint[], $2::text[]))`,
    [named.map((r) => r.stationId), named.map((r) => r.transactionId)],
  );
  return new Map(rows.map((row) => [`${row.station_id}/${row.transaction_id}`, row]));
}

/** A Postgres array literal: rows of different lengths cannot travel as an array of arrays. */
const arrayLiteral = (items: readonly (string | null)[]): string =>
  `{${items.map((item) => (item === null ? "NULL" : `"${item.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`)).join(",")}}`;
