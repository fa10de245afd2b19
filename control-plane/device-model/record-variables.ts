import type { Sql } from "../database.ts";
import { mergeFacts, type VariableFact } from "./variable-facts.ts";

/** No station has as many; one that makes up names must not fill the table. Counted only where a row is to be added. */
const MAX_VARIABLES = 20_000;

/** The value that is in force is the later one's; write-only variables have none to show. */
const VALUE_IS_LATER = "(v.epoch, v.seq) < (excluded.epoch, excluded.seq)";
const DESCRIPTION_IS_LATER =
  "(excluded.described_epoch is not null and (v.described_epoch is null or (v.described_epoch, v.described_seq) < (excluded.described_epoch, excluded.described_seq)))";
const later = (condition: string, columns: readonly string[]) =>
  columns.map((column) => `${column} = case when ${condition} then excluded.${column} else v.${column} end`).join(", ");

const UPSERT = `
with given as (
  select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::text[], $12::boolean[], $13::boolean[], $14::jsonb[], $15::text[], $16::timestamptz[], $17::bigint[], $18::int[], $19::bigint[], $20::int[])
    as g (station_id, key, component, component_instance, evse_id, connector_id, variable, variable_instance, attribute, value,
      mutability, persistent, constant, characteristics, source, received_at, epoch, seq, described_epoch, described_seq)
), growing as (
  select g.station_id from given g
  where not exists (select 1 from station_variables known where known.station_id = g.station_id and known.key = g.key)
), full_stations as (
  select station_id from station_variables where station_id in (select station_id from growing) group by station_id having count(*) >= ${MAX_VARIABLES}
)
insert into station_variables as v (station_id, key, component, component_instance, evse_id, connector_id, variable, variable_instance, attribute, value,
  mutability, persistent, constant, characteristics, source, received_at, epoch, seq, described_epoch, described_seq)
select g.* from given g
where not exists (select 1 from full_stations f where f.station_id = g.station_id)
  or exists (select 1 from station_variables known where known.station_id = g.station_id and known.key = g.key)
order by g.station_id, g.key collate "C"
on conflict (station_id, key) do update set
  value = case
    when ${DESCRIPTION_IS_LATER} and excluded.mutability = 'WriteOnly' then null
    when not ${DESCRIPTION_IS_LATER} and v.mutability = 'WriteOnly' then null
    when ${VALUE_IS_LATER} then excluded.value else v.value end,
  ${later(VALUE_IS_LATER, ["source", "received_at", "epoch", "seq"])},
  ${later(DESCRIPTION_IS_LATER, ["mutability", "persistent", "constant", "characteristics", "described_epoch", "described_seq"])}
where ${VALUE_IS_LATER} or ${DESCRIPTION_IS_LATER}`;

/**
 * Brings variables forward: the value and what a report says of it are two facts, each guarded by (epoch, seq). A report in
 * any order of its parts, resent or overtaken by a GetVariables, ends in the same rows. New variables of a station that
 * has 20,000 already are left out.
 */
export async function recordVariables(sql: Sql, facts: readonly VariableFact[]): Promise<void> {
  if (facts.length === 0) return;
  const rows = mergeFacts(facts);
  await sql.query(UPSERT, [
    rows.map((r) => r.stationId),
    rows.map((r) => r.key),
    rows.map((r) => r.component),
    rows.map((r) => r.componentInstance),
    rows.map((r) => r.evseId),
    rows.map((r) => r.connectorId),
    rows.map((r) => r.variable),
    rows.map((r) => r.variableInstance),
    rows.map((r) => r.attribute),
    rows.map((r) => r.value),
    rows.map((r) => r.description?.mutability ?? null),
    rows.map((r) => r.description?.persistent ?? null),
    rows.map((r) => r.description?.constant ?? null),
    rows.map((r) => r.description?.characteristics ?? null),
    rows.map((r) => r.source),
    rows.map((r) => r.receivedAt.toISOString()),
    rows.map((r) => r.epoch),
    rows.map((r) => r.seq),
    rows.map((r) => r.described?.epoch ?? null),
    rows.map((r) => r.described?.seq ?? null),
  ]);
}
