import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { stationRecord, unknownStation } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { QuirkSettings } from "@dynamo-csms/proto/quirks";
import {
  type CredentialEncoding,
  encodeStationRecord,
  type Registration,
  type StationRecord,
} from "@dynamo-csms/proto/station-record";
import type { Cluster, Redis } from "ioredis";
import type pg from "pg";
import { type Sql, sqlOn } from "../database.ts";
import { settleQuirks } from "../quirks/resolve-quirks.ts";
import { closeSocket } from "./close-socket.ts";
import { refreshSession } from "./refresh-session.ts";

export interface RegistryDeps {
  pool: pg.Pool;
  redis: Redis | Cluster;
  /** Told in BootNotification answers, also by a gateway that cannot ask us. */
  heartbeatIntervalSeconds: number;
}

/** A station's record, with the row it was made from and the outbox entry (if any) that writing it settles. */
export interface RegistryEntry {
  stationId: string;
  identity: StationIdentity;
  record: StationRecord;
  /** `requested_at` as text: a Date would cut the microseconds off that tell two requests apart. */
  outboxRequestedAt: string | null;
  /** The request is also to disconnect whoever is connected. */
  closeRequested: boolean;
}

interface RegistryRow {
  id: string;
  identity: StationIdentity;
  identity_spelling: string;
  charge_point_id: string;
  org_id: string;
  ocpp_version: OcppVersion;
  security_profile: 1 | 2 | 3;
  registration: Registration;
  registry_rev: string;
  retired: boolean;
  requested_at: string | null;
  close_socket: boolean | null;
  quirks: QuirkSettings | null;
  serial_number: string;
  organization_name: string;
  revoked_certificates: string[];
  verifiers: { slot: string; digest: string; pepper_id: string; encoding: CredentialEncoding }[];
}

// One statement, so one snapshot: a revision always stands for the verifiers that were committed with it.
const READ = `
select s.id::text as id, s.identity, s.identity_spelling, s.charge_point_id, s.org_id, s.ocpp_version, s.security_profile,
       s.registration, s.registry_rev::text as registry_rev, s.retired_at is not null as retired, o.requested_at::text as requested_at, o.close_socket, s.quirks,
       coalesce((select json_agg(json_build_object('slot', v.slot, 'digest', encode(v.digest, 'base64'),
                                                   'pepper_id', v.pepper_id, 'encoding', v.encoding) order by v.slot)
                 from station_verifiers v where v.station_id = s.id), '[]') as verifiers,
       s.serial_number, g.name as organization_name,
       array(select c.fingerprint from station_certificates c
             where c.station_id = s.id and c.revoked_at is not null and c.not_after > now() order by c.fingerprint) as revoked_certificates
from stations s join organizations g on g.id = s.org_id left join registry_outbox o on o.station_id = s.id`;

/**
 * Asks for the station's record in Redis to be written anew. Call it in the transaction that changes what admission needs
 * (verifiers, registration, versions, profile, retirement): the request commits or falls with the change.
 * After the commit `writeRegistryNow` saves the wait for the relay.
 * @param also "close-socket": whoever is connected is to be disconnected once the record is written, because the access that
 * the connection was let in by has ended. That is kept up until a gateway heard it.
 */
export async function requestRegistryWrite(sql: Sql, stationId: string | number, also?: "close-socket"): Promise<void> {
  await requestRegistryWrites(sql, [stationId], also);
}

/** `requestRegistryWrite` for many: their rows are locked in the order of their ids. */
export async function requestRegistryWrites(
  sql: Sql,
  stationIds: readonly (string | number)[],
  also?: "close-socket",
): Promise<void> {
  if (stationIds.length === 0) return;
  const ids = stationIds.map(String);
  // Not simply + 1: after a restore of an older Postgres, Redis would keep the higher revision for ever.
  await sql.query(
    `update stations set registry_rev = greatest(registry_rev + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)
     where id = any(select id from stations where id = any($1::bigint[]) order by id for no key update)`,
    [ids],
  );
  // Behind the lock, in a statement of its own: a boot that was being filed meanwhile is seen.
  await settleQuirks(sql, ids);
  await sql.query(
    `insert into registry_outbox as o (station_id, requested_at, close_socket) select id, clock_timestamp(), $2 from unnest($1::bigint[]) as s (id) order by id
     on conflict (station_id) do update set requested_at = excluded.requested_at, close_socket = o.close_socket or excluded.close_socket`,
    [ids, also === "close-socket"],
  );
}

/** The records of these stations as Postgres has them; stations that do not exist are left out. */
export async function readRegistry(
  sql: Sql,
  stationIds: readonly (string | number)[],
  heartbeatIntervalSeconds: number,
): Promise<RegistryEntry[]> {
  const rows = await sql.query<RegistryRow>(`${READ} where s.id = any($1::bigint[])`, [stationIds.map(String)]);
  return rows.map((row) => toEntry(row, heartbeatIntervalSeconds));
}

/** The record of the station with this identity, or undefined: there is no such station. */
export async function findRegistryEntry(
  sql: Sql,
  identity: string,
  heartbeatIntervalSeconds: number,
): Promise<RegistryEntry | undefined> {
  const [row] = await sql.query<RegistryRow>(`${READ} where s.identity = $1`, [identity]);
  return row === undefined ? undefined : toEntry(row, heartbeatIntervalSeconds);
}

// An equal revision is written too: it is the same content, or the heartbeat interval of a new configuration.
const WRITE = `
redis.call('DEL', KEYS[2])
local stored = redis.call('HGET', KEYS[1], 'rev')
if stored and tonumber(stored) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'rev', ARGV[1], 'record', ARGV[2])
return 1`;

/** Writes one record unless Redis has a newer one, and lifts the gateways' "no such station". Rejects when Redis is away. */
export async function writeRegistryEntry(redis: Redis | Cluster, entry: RegistryEntry): Promise<void> {
  const { identity, record } = entry;
  await redis.eval(
    WRITE,
    2,
    stationRecord(identity),
    unknownStation(identity),
    String(record.rev),
    encodeStationRecord(record),
  );
}

/** A node without a lease is told to close a socket for this long: it may be cut off from Redis and still hold it. */
const CUT_OFF_MS = 120_000;

/**
 * Writes these records, then closes the sockets for which that was asked: a station that comes back at once must meet the
 * new record. Whoever holds one of the others is told to read its record again; a word that is lost is made good at the
 * station's next connection. Forgets the outbox requests that are settled by it; one that was made anew meanwhile stays,
 * and one whose close no gateway has heard. Rejects when Redis or Postgres is away: what is left to do stays in the outbox.
 */
export async function writeRegistryEntries(
  redis: Redis | Cluster,
  sql: Sql,
  entries: readonly RegistryEntry[],
): Promise<void> {
  await Promise.all(entries.map((entry) => writeRegistryEntry(redis, entry)));
  const settled: { entry: RegistryEntry; afterMs: number }[] = [];
  const told = await Promise.all(
    entries
      .filter((entry) => entry.outboxRequestedAt !== null)
      .map(async (entry) => ({
        entry,
        told: entry.closeRequested
          ? await closeSocket(redis, entry.identity)
          : await refreshSession(redis, entry.identity),
      })),
  );
  for (const { entry, told: how } of told)
    if (how !== "unheard") settled.push({ entry, afterMs: how === "done" ? 0 : CUT_OFF_MS });
  if (settled.length === 0) return;
  await sql.query(
    `delete from registry_outbox o using unnest($1::bigint[], $2::text[], $3::int[]) as done(station_id, requested_at, after_ms)
     where o.station_id = done.station_id and o.requested_at = done.requested_at::timestamptz
       and (done.after_ms = 0 or o.requested_at < now() - done.after_ms * interval '1 millisecond')`,
    [
      settled.map(({ entry }) => entry.stationId),
      settled.map(({ entry }) => entry.outboxRequestedAt),
      settled.map(({ afterMs }) => afterMs),
    ],
  );
}

/**
 * Writes the station's record to Redis now, and closes its socket if asked; call it after the commit of the request. Never rejects:
 * false means that Redis or Postgres did not answer, and the outbox relay will do it.
 */
export async function writeRegistryNow(deps: RegistryDeps, stationId: string | number): Promise<boolean> {
  try {
    const sql = sqlOn(deps.pool);
    const entries = await readRegistry(sql, [stationId], deps.heartbeatIntervalSeconds);
    await writeRegistryEntries(deps.redis, sql, entries);
    return true;
  } catch {
    return false;
  }
}

function toEntry(row: RegistryRow, heartbeatIntervalSeconds: number): RegistryEntry {
  const record: StationRecord = {
    v: 1,
    rev: Number(row.registry_rev),
    orgId: row.org_id,
    chargePointId: row.charge_point_id,
    identitySpelling: row.identity_spelling,
    // Postgres breaks base64 into lines. The slots sort "current" before "pending", each before its other form.
    verifiers: row.verifiers.map((v) => ({
      digest: v.digest.replaceAll("\n", ""),
      pepperId: v.pepper_id,
      encoding: v.encoding,
    })),
    ocppVersions: [row.ocpp_version],
    securityProfile: row.security_profile,
    registration: row.registration,
    heartbeatIntervalSeconds,
    ...(row.quirks === null ? {} : { quirks: row.quirks }),
    serialNumber: row.serial_number,
    organizationName: row.organization_name,
    ...(row.revoked_certificates.length === 0 ? {} : { revokedCertificates: row.revoked_certificates }),
    retired: row.retired,
  };
  return {
    stationId: row.id,
    identity: row.identity,
    record,
    outboxRequestedAt: row.requested_at,
    closeRequested: row.close_socket === true,
  };
}
