import type { Sql } from "../database.ts";
import type { BootFacts } from "./boot-facts.ts";
import type { FactOrder } from "./fact-order.ts";
import { settleQuirks } from "../quirks/resolve-quirks.ts";
import { requestRegistryWrites } from "./station-registry.ts";

/** One BootNotification. */
export interface BootReport extends FactOrder, BootFacts {
  stationId: string;
  /** JSON text that Postgres takes (storable-text.ts). */
  payload: string;
  bootedAt: Date;
}

/** Keeps what the stations last said of themselves when booting; a boot older than the stored one changes nothing. */
export async function recordBoots(sql: Sql, boots: readonly BootReport[]): Promise<void> {
  if (boots.length === 0) return;
  const newest = new Map<string, BootReport>();
  for (const boot of boots) {
    const other = newest.get(boot.stationId);
    if (other === undefined || other.epoch < boot.epoch || (other.epoch === boot.epoch && other.seq < boot.seq))
      newest.set(boot.stationId, boot);
  }
  const rows = [...newest.values()];
  const written = await sql.query<{ id: string }>(
    `insert into station_boots (station_id, vendor, model, serial_number, firmware_version, reason, payload, booted_at, epoch, seq)
     select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::timestamptz[], $9::bigint[], $10::int[])
       as b (station_id, vendor, model, serial_number, firmware_version, reason, payload, booted_at, epoch, seq)
     order by station_id
     on conflict (station_id) do update set
       vendor = excluded.vendor, model = excluded.model, serial_number = excluded.serial_number, firmware_version = excluded.firmware_version,
       reason = excluded.reason, payload = excluded.payload, booted_at = excluded.booted_at, epoch = excluded.epoch, seq = excluded.seq
     where (station_boots.epoch, station_boots.seq) < (excluded.epoch, excluded.seq)
     returning station_id::text as id`,
    [
      rows.map((b) => b.stationId),
      rows.map((b) => b.vendor),
      rows.map((b) => b.model),
      rows.map((b) => b.serialNumber),
      rows.map((b) => b.firmwareVersion),
      rows.map((b) => b.reason),
      rows.map((b) => b.payload),
      rows.map((b) => b.bootedAt.toISOString()),
      rows.map((b) => b.epoch),
      rows.map((b) => b.seq),
    ],
  );
  await requestChangedQuirks(
    sql,
    written.map(({ id }) => id),
  );
}

/** Another vendor, model or firmware may be under another quirk profile: then the gateways are told. */
async function requestChangedQuirks(sql: Sql, stationIds: readonly string[]): Promise<void> {
  if (stationIds.length === 0) return;
  await sql.query(`select 1 from stations where id = any($1::bigint[]) order by stations.id for no key update`, [
    stationIds,
  ]);
  await requestRegistryWrites(sql, await settleQuirks(sql, stationIds));
}

/**
 * Marks stations that were answered "Accepted" as accepted, where Postgres does not know it: it lost its last commits.
 * A decision made since (pending, rejected) stands.
 */
export async function restoreAcceptance(sql: Sql, stationIds: readonly string[]): Promise<void> {
  if (stationIds.length === 0) return;
  const restored = await sql.query<{ id: string }>(
    `update stations set registration = 'accepted'
     where id = any(select id from stations where id = any($1::bigint[]) and registration = 'unknown' order by id for update)
     returning id::text as id`,
    [stationIds],
  );
  await requestRegistryWrites(
    sql,
    restored.map(({ id }) => id),
  );
}
