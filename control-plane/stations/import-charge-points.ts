import { digestPassword, type Peppers } from "@dynamo-csms/proto/station-password";
import type { CredentialEncoding } from "@dynamo-csms/proto/station-record";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type pg from "pg";
import { inTransaction, type Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { findImported } from "./find-imported.ts";

/** One charge point of a fleet that comes from another back end, its row checked. */
export interface ImportedChargePoint {
  /** Line in the file, for messages. */
  line: number;
  /** As it is spelled in the station's connection URL; `identity` is its case-folded key. */
  identitySpelling: string;
  identity: string;
  /** The password's bytes as they travel; undefined where a client certificate alone lets it in (security profile 3). */
  password: Buffer | undefined;
  encoding: CredentialEncoding;
  serialNumber: string;
  vendor: string;
  model: string;
  ocppVersion: OcppVersion;
  connectorCount: number;
  maxPowerKw: number | undefined;
  securityProfile: 1 | 2 | 3;
}

export interface ImportTarget {
  orgId: string;
  projectId: string | null;
  /** As if they had booted before: they are served from their first connection on. */
  accepted: boolean;
  /** What an earlier import has registered exactly so counts as imported by this one. */
  resume: boolean;
  peppers: Peppers;
}

export interface Imported {
  line: number;
  identity: string;
  chargePointId: string;
}

/** A row of the file that cannot be imported, and what of it is registered already. */
interface Taken {
  unit: ImportedChargePoint;
  field: "identity" | "serial_number";
}

/**
 * Registers a batch with the identities and passwords that the units have already, so that a fleet can be moved over by DNS
 * alone. All or nothing. Whose an identity is that is taken already is not said (identities are unique in the deployment).
 * @returns the new ids, or the rows whose identity (or serial number in the project) is taken.
 */
export async function importChargePoints(
  pool: pg.Pool,
  batch: readonly ImportedChargePoint[],
  target: ImportTarget,
): Promise<{ imported: Imported[] } | { taken: Taken[] }> {
  return inTransaction(pool, async (sql) => {
    const earlier = target.resume ? await findImported(sql, batch, target) : [];
    const known = new Set(earlier.map(({ line }) => line));
    const fresh = batch.filter(({ line }) => !known.has(line));
    const taken = await findTaken(sql, fresh, target.projectId);
    if (taken.length > 0) return { taken };
    const rows = await insertStations(sql, fresh, target);
    const ids = new Map(rows.map((row) => [row.identity, row]));
    await insertVerifiers(
      sql,
      fresh.map((unit) => ({ unit, stationId: (ids.get(unit.identity) as { id: string }).id })),
      target.peppers,
    );
    await sql.query(`insert into registry_outbox (station_id) select unnest($1::bigint[])`, [rows.map(({ id }) => id)]);
    const imported = fresh.map((unit) => ({
      line: unit.line,
      identity: unit.identitySpelling,
      chargePointId: (ids.get(unit.identity) as { charge_point_id: string }).charge_point_id,
    }));
    return { imported: [...earlier, ...imported].toSorted((a, b) => a.line - b.line) };
  });
}

async function findTaken(sql: Sql, batch: readonly ImportedChargePoint[], projectId: string | null): Promise<Taken[]> {
  const rows = await sql.query<{ place: string; identity_taken: boolean }>(
    `select place, identity_taken
     from unnest($1::text[], $2::text[]) with ordinality as n (identity, serial_number, place),
       lateral (select exists (select 1 from stations s where s.identity = n.identity) as identity_taken) t
     where identity_taken
        or exists (select 1 from stations s where s.project_id = $3 and s.serial_number = n.serial_number and s.retired_at is null)
     order by place`,
    [batch.map((unit) => unit.identity), batch.map((unit) => unit.serialNumber), projectId],
  );
  return rows.map(({ place, identity_taken }) => ({
    unit: batch[Number(place) - 1] as ImportedChargePoint,
    field: identity_taken ? "identity" : "serial_number",
  }));
}

async function insertStations(
  sql: Sql,
  batch: readonly ImportedChargePoint[],
  { orgId, projectId, accepted }: ImportTarget,
): Promise<{ id: string; identity: string; charge_point_id: string }[]> {
  return sql.query(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, project_id, serial_number, vendor, model, ocpp_version,
                           connector_count, max_power_kw, security_profile, registration, registry_rev)
     select charge_point_id, identity, spelling, $11, $12, serial_number, vendor, model, ocpp_version, connector_count, max_power_kw, security_profile,
            $13, (extract(epoch from clock_timestamp()) * 1000)::bigint
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::numeric[], $10::smallint[])
       as n (charge_point_id, identity, spelling, serial_number, vendor, model, ocpp_version, connector_count, max_power_kw, security_profile)
     returning id::text as id, identity, charge_point_id`,
    [
      batch.map(() => newId("cp")),
      batch.map((unit) => unit.identity),
      batch.map((unit) => unit.identitySpelling),
      batch.map((unit) => unit.serialNumber),
      batch.map((unit) => unit.vendor),
      batch.map((unit) => unit.model),
      batch.map((unit) => unit.ocppVersion),
      batch.map((unit) => unit.connectorCount),
      batch.map((unit) => unit.maxPowerKw ?? null),
      batch.map((unit) => unit.securityProfile),
      orgId,
      projectId,
      accepted ? "accepted" : "unknown",
    ],
  );
}

async function insertVerifiers(
  sql: Sql,
  stations: readonly { unit: ImportedChargePoint; stationId: string }[],
  peppers: Peppers,
): Promise<void> {
  const [newest] = peppers;
  if (newest === undefined) throw new Error("no pepper is configured");
  const [pepperId, pepper] = newest;
  const withPassword = stations.flatMap(({ unit: { password, encoding }, stationId }) =>
    password === undefined ? [] : [{ stationId, digest: digestPassword(password, pepper), encoding }],
  );
  await sql.query(
    `insert into station_verifiers (station_id, slot, digest, pepper_id, encoding)
     select station_id, 'current', digest, $4, encoding from unnest($1::bigint[], $2::bytea[], $3::text[]) as v (station_id, digest, encoding)`,
    [
      withPassword.map((one) => one.stationId),
      withPassword.map((one) => one.digest),
      withPassword.map((one) => one.encoding),
      pepperId,
    ],
  );
}
