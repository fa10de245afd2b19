import type { Sql } from "../database.ts";
import { arrayLiteral, COPY_NULL, copyField, WORTH_COPYING } from "../pg-text.ts";
import type { MeterReading } from "./meter-reading.ts";
import type { MeterShapes } from "./meter-shapes.ts";
import type { NewestSamples } from "./newest-samples.ts";
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
 * @param newest of the lane: what it calls new is copied, where `sql` can. A row that is there after all is a unique violation
 * then, and the batch is to be tried again without.
 */
export async function recordMeterValues(
  sql: Sql,
  shapes: MeterShapes,
  received: readonly ReceivedReading[],
  newest?: NewestSamples,
): Promise<void> {
  if (received.length === 0) return;
  const transactions = await findTransactions(sql, received);
  const shapeIds = await shapes.idsOf(
    sql,
    received.map((r) => ({ stationId: r.stationId, shape: r.reading.shape })),
  );
  // One message has many readings; set aside once per reading it would be as large as its square.
  const [lost, shapeless] = [new Set<QuarantinedMessage>(), new Set<QuarantinedMessage>()];
  const filed: FiledReading[] = [];
  received.forEach((r, place) => {
    const transaction = r.transactionId === undefined ? undefined : transactions.get(keyOf(r));
    if (r.transactionId !== undefined && transaction === undefined) lost.add(r.message);
    const shapeId = shapeIds[place];
    if (shapeId === undefined) return void shapeless.add(r.message);
    filed.push({
      stationId: r.stationId,
      transactionId: transaction?.id ?? "0",
      sampledAt: r.reading.sampledAt ?? r.receivedAt,
      shapeId,
      connector: r.connector ?? transaction?.connector ?? 0,
      reading: r.reading,
      receivedAt: r.receivedAt,
    });
  });
  await quarantine(sql, [...lost]);
  await quarantine(
    sql,
    [...shapeless].map(({ stationId, epoch, seq, receivedAt, action, raw }) => ({
      ...{ stationId, epoch, seq, receivedAt, action, raw },
      reason: "too many kinds of readings",
    })),
  );
  await file(sql, filed, newest);
}

interface FiledReading {
  stationId: string;
  transactionId: string;
  sampledAt: Date;
  shapeId: number;
  connector: number;
  reading: MeterReading;
  receivedAt: Date;
}

async function file(sql: Sql, filed: readonly FiledReading[], newest: NewestSamples | undefined): Promise<void> {
  const { copy } = sql;
  if (newest === undefined || copy === undefined) return insert(sql, filed);
  const [fresh, perhapsKnown]: [FiledReading[], FiledReading[]] = [[], []];
  for (const r of filed) (newest.isNew(r.stationId, r.connector, r.sampledAt.getTime()) ? fresh : perhapsKnown).push(r);
  if (fresh.length < WORTH_COPYING) return insert(sql, filed);
  await copy(
    `copy meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at) from stdin`,
    linesOf(fresh),
  );
  await insert(sql, perhapsKnown);
}

function linesOf(readings: readonly FiledReading[]): string {
  let lines = "";
  // Many stations read their meters at the same second, and a turn of the gateway's event loop has one time.
  let [sampledMs, sampled, receivedMs, received] = [Number.NaN, "", Number.NaN, ""];
  for (const r of readings) {
    if (r.sampledAt.getTime() !== sampledMs) [sampledMs, sampled] = [r.sampledAt.getTime(), r.sampledAt.toISOString()];
    if (r.receivedAt.getTime() !== receivedMs)
      [receivedMs, received] = [r.receivedAt.getTime(), r.receivedAt.toISOString()];
    const { values, raw } = r.reading;
    const rawField = raw === undefined ? COPY_NULL : copyField(arrayLiteral(raw));
    lines += `${r.stationId}\t${r.transactionId}\t${sampled}\t${r.shapeId}\t${r.connector}\t${decimals(values)}\t${rawField}\t${received}\n`;
  }
  return lines;
}

/** An array literal of what decimalOf gave: nothing in it needs quotes. */
function decimals(values: readonly (string | null)[]): string {
  let text = "{";
  for (let at = 0; at < values.length; at += 1) text += `${at === 0 ? "" : ","}${values[at] ?? "NULL"}`;
  return `${text}}`;
}

async function insert(sql: Sql, filed: readonly FiledReading[]): Promise<void> {
  if (filed.length === 0) return;
  await sql.query(
    `insert into meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at)
     select station_id, transaction_id, sampled_at, shape, connector, vals::numeric[], raw::text[], received_at
     from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::int[], $5::int[], $6::text[], $7::text[], $8::timestamptz[])
       as m (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at)
     on conflict do nothing`,
    [
      filed.map((r) => r.stationId),
      filed.map((r) => r.transactionId),
      filed.map((r) => r.sampledAt.toISOString()),
      filed.map((r) => r.shapeId),
      filed.map((r) => r.connector),
      filed.map((r) => decimals(r.reading.values)),
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
  const named = new Map<string, ReceivedReading>();
  for (const r of received) if (r.transactionId !== undefined) named.set(keyOf(r), r);
  if (named.size === 0) return new Map();
  const asked = [...named.values()];
  const rows = await sql.query<{ id: string; station_id: string; transaction_id: string; connector: number }>(
    `select id::text as id, station_id::text as station_id, transaction_id, coalesce(evse_id, connector_id, 0) as connector
     from transactions
     where (station_id, transaction_id) in (select * from unnest($1::bigint[], $2::text[]))`,
    [asked.map((r) => r.stationId), asked.map((r) => r.transactionId)],
  );
  return new Map(rows.map((row) => [`${row.station_id}/${row.transaction_id}`, row]));
}
