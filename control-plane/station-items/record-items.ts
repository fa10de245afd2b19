import type { Sql } from "../database.ts";
import { storableJson, storableText } from "../message-log/storable-text.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";

/** What can be in force at a station, many at a time, each under an id of its own. */
export type ItemKind = "monitor" | "monitoring" | "display_message" | "der_control" | "tariff" | "event_stream";

/** That an item is in force, is so with other details, or is in force no more. */
export interface ItemChange extends FactOrder {
  stationId: string;
  kind: ItemKind;
  /** The id that it has at the station, as text. */
  key: string;
  /** False: cleared, closed, replaced. */
  present: boolean;
  /** JSON object, in the names of the REST API. */
  data: Record<string, unknown>;
  /** `data` adds to what is known of the item, instead of being all of it. */
  adds?: boolean;
  receivedAt: Date;
}

/** An id of a station as the key of its row. */
export const itemKey = (id: string | number): string => storableText(String(id)).slice(0, 100);

/** No station holds as many; one that makes up ids must not fill the table. Counted only where a row is to be added. */
const MAX_ITEMS = 5_000;

const upsert = (data: string) => `
with given as (
  select * from unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::jsonb[], $6::timestamptz[], $7::bigint[], $8::int[])
    as g (station_id, kind, item_key, present, data, received_at, epoch, seq)
), growing as (
  select g.station_id from given g
  where not exists (select 1 from station_items known where (known.station_id, known.kind, known.item_key) = (g.station_id, g.kind, g.item_key))
), full_stations as (
  select station_id from station_items where station_id in (select station_id from growing) group by station_id having count(*) >= ${MAX_ITEMS}
)
insert into station_items as i (station_id, kind, item_key, present, data, received_at, epoch, seq)
select g.* from given g
where not exists (select 1 from full_stations f where f.station_id = g.station_id)
  or exists (select 1 from station_items known where (known.station_id, known.kind, known.item_key) = (g.station_id, g.kind, g.item_key))
order by g.station_id, g.kind, g.item_key collate "C"
on conflict (station_id, kind, item_key) do update set
  present = excluded.present, data = ${data}, received_at = excluded.received_at, epoch = excluded.epoch, seq = excluded.seq
where (i.epoch, i.seq) < (excluded.epoch, excluded.seq)`;
const REPLACE = upsert("excluded.data");
const ADD = upsert("i.data || excluded.data");

/** Brings items forward, each guarded by (epoch, seq). New items of a station that has 5,000 already are left out. */
export async function recordItems(sql: Sql, changes: readonly ItemChange[]): Promise<void> {
  if (changes.length === 0) return;
  const rows = [...foldByItem(changes).values()];
  await write(
    sql,
    REPLACE,
    rows.filter((row) => row.adds !== true),
  );
  await write(
    sql,
    ADD,
    rows.filter((row) => row.adds === true),
  );
}

/** A statement may touch a row only once. */
function foldByItem(changes: readonly ItemChange[]): Map<string, ItemChange> {
  const rows = new Map<string, ItemChange>();
  for (const change of [...changes].sort(byFactOrder)) {
    const place = `${change.stationId}/${change.kind}/${change.key}`;
    const before = rows.get(place);
    rows.set(
      place,
      before !== undefined && change.adds === true
        ? { ...change, data: { ...before.data, ...change.data }, adds: before.adds === true }
        : change,
    );
  }
  return rows;
}

async function write(sql: Sql, statement: string, rows: readonly ItemChange[]): Promise<void> {
  if (rows.length === 0) return;
  await sql.query(statement, [
    rows.map((row) => row.stationId),
    rows.map((row) => row.kind),
    rows.map((row) => row.key),
    rows.map((row) => row.present),
    rows.map((row) => storableJson(JSON.stringify(row.data))),
    rows.map((row) => row.receivedAt.toISOString()),
    rows.map((row) => row.epoch),
    rows.map((row) => row.seq),
  ]);
}

/** Which items of a station a clearing is about. */
export interface Clearing extends FactOrder {
  stationId: string;
  kind: ItemKind;
  receivedAt: Date;
  /** Those whose data has these members. Default: all. */
  having?: Record<string, unknown>;
  /** These keys stay. */
  except?: readonly string[];
}

/** Ends the items of a kind that are older than the clearing: where a station is told, or tells, of all at once. */
export async function clearItems(sql: Sql, clearing: Clearing): Promise<void> {
  const { stationId, kind, having = {}, except = [], receivedAt, epoch, seq } = clearing;
  await sql.query(
    `update station_items set present = false, received_at = $5, epoch = $6, seq = $7
     where (station_id, kind, item_key) in (
       select station_id, kind, item_key from station_items
       where station_id = $1 and kind = $2 and present and data @> $3::jsonb and not (item_key = any($4::text[]))
         and (epoch, seq) < ($6::bigint, $7::int)
       order by item_key for update)`,
    [stationId, kind, storableJson(JSON.stringify(having)), except, receivedAt.toISOString(), epoch, seq],
  );
}
