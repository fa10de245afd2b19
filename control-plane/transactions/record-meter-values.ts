import { createHash } from "node:crypto";
import type { Sql } from "../database.ts";
import type { MeterReading, ShapeMember } from "./meter-reading.ts";
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

/** The ids of shapes. Outside the batch's transaction: a shape is worth keeping even if the batch is not. */
export interface MeterShapes {
  idsOf(shapes: readonly ShapeMember[][]): Promise<number[]>;
}

/** More are looked up again; a fleet has some dozens. */
const MAX_CACHED_SHAPES = 10_000;

export function createMeterShapes(sql: Sql): MeterShapes {
  const cached = new Map<string, number>();
  return {
    async idsOf(shapes) {
      const texts = shapes.map((shape) => JSON.stringify(shape));
      const distinct = [...new Set(texts)];
      if (cached.size + distinct.length > MAX_CACHED_SHAPES) cached.clear();
      const missing = distinct.filter((text) => !cached.has(text));
      for (const [text, id] of await findOrAdd(sql, missing)) cached.set(text, id);
      return texts.map((text) => cached.get(text) as number);
    },
  };
}

/** All at once: a station may make up thousands in one message, and the batch's transaction waits meanwhile. */
async function findOrAdd(sql: Sql, shapes: readonly string[]): Promise<Map<string, number>> {
  // Found by digest: a shape of many members is longer than an index row may be.
  const digestOf = (members: string) => createHash("sha256").update(members).digest();
  const ofDigest = new Map(shapes.map((members) => [digestOf(members).toString("hex"), members]));
  const ids = new Map<string, number>();
  for (;;) {
    // In the order of their digests, for two intakes may add the same ones.
    const missing = [...ofDigest].filter(([, members]) => !ids.has(members)).sort(([a], [b]) => (a < b ? -1 : 1));
    if (missing.length === 0) return ids;
    const digests = missing.map(([digest]) => Buffer.from(digest, "hex"));
    const found = await sql.query<{ id: number; digest: Buffer }>(
      `select id, digest from meter_shapes where digest = any($1::bytea[])`,
      [digests],
    );
    for (const { id, digest } of found) ids.set(ofDigest.get(digest.toString("hex")) as string, id);
    if (found.length === missing.length) return ids;
    await sql.query(
      `insert into meter_shapes (digest, members) select * from unnest($1::bytea[], $2::text[]) on conflict do nothing`,
      [digests, missing.map(([, members]) => members)],
    );
  }
}

/**
 * Files readings, one row each. A resent one is the same row. Readings of a transaction that is not on record are filed
 * without it, and their message is set aside.
 */
export async function recordMeterValues(
  sql: Sql,
  shapes: MeterShapes,
  received: readonly ReceivedReading[],
): Promise<void> {
  if (received.length === 0) return;
  const transactions = await findTransactions(sql, received);
  const lost = received.filter((r) => r.transactionId !== undefined && !transactions.has(keyOf(r)));
  // One message has many readings; set aside once per reading it would be as large as its square.
  await quarantine(sql, [...new Set(lost.map((r) => r.message))]);
  const shapeIds = await shapes.idsOf(received.map((r) => r.reading.shape));
  await sql.query(
    `insert into meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at)
     select station_id, transaction_id, sampled_at, shape, connector, vals::numeric[], raw::text[], received_at
     from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::int[], $5::int[], $6::text[], $7::text[], $8::timestamptz[])
       as m (station_id, transaction_id, sampled_at, shape, connector, vals, raw, received_at)
     on conflict do nothing`,
    [
      received.map((r) => r.stationId),
      received.map((r) => transactions.get(keyOf(r))?.id ?? "0"),
      received.map((r) => (r.reading.sampledAt ?? r.receivedAt).toISOString()),
      shapeIds,
      received.map((r) => r.connector ?? transactions.get(keyOf(r))?.connector ?? 0),
      received.map((r) => arrayLiteral(r.reading.values)),
      received.map((r) => (r.reading.raw === undefined ? null : arrayLiteral(r.reading.raw))),
      received.map((r) => r.receivedAt.toISOString()),
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
