import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { stationRecord, unknownStation } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { QuirkSettings } from "@dynamo-csms/proto/quirks";
import {
  type CredentialEncoding,
  decodeStationRecord,
  encodeStationRecord,
  type Registration,
  type StationRecord,
} from "@dynamo-csms/proto/station-record";
import type { Cluster, Redis } from "ioredis";
import type { Sql } from "../database.ts";

/** A station's record, with the row it was made from and the outbox entry (if any) that writing it settles. */
export interface RegistryEntry {
  stationId: string;
  identity: StationIdentity;
  record: StationRecord;
  /** `requested_at` as text: a Date would cut the microseconds off that tell two requests apart. */
  outboxRequestedAt: string | null;
  /** The request is also to disconnect whoever is connected. */
  closeRequested: boolean;
  known: KnownRevisions;
}

/** Which revisions Redis may hold of a record, as far as Postgres knows: up to `upTo`, and these. */
export interface KnownRevisions {
  upTo: number;
  also: readonly number[];
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
  base_rev: string | null;
  revs: string[] | null;
  quirks: QuirkSettings | null;
  serial_number: string;
  organization_name: string;
  revoked_certificates: string[];
  verifiers: { slot: string; digest: string; pepper_id: string; encoding: CredentialEncoding }[];
}

// One statement, so one snapshot: a revision always stands for the verifiers that were committed with it.
const READ = `
select s.id::text as id, s.identity, s.identity_spelling, s.charge_point_id, s.org_id, s.ocpp_version, s.security_profile,
       s.registration, s.registry_rev::text as registry_rev, s.retired_at is not null as retired, o.requested_at::text as requested_at, o.close_socket,
       o.base_rev::text as base_rev, o.revs::text[] as revs, s.quirks,
       coalesce((select json_agg(json_build_object('slot', v.slot, 'digest', encode(v.digest, 'base64'),
                                                   'pepper_id', v.pepper_id, 'encoding', v.encoding) order by v.slot)
                 from station_verifiers v where v.station_id = s.id), '[]') as verifiers,
       s.serial_number, g.name as organization_name,
       array(select c.fingerprint from station_certificates c
             where c.station_id = s.id and c.revoked_at is not null and c.not_after > now()
             union select r.fingerprint from restored_revocations r where r.station_id = s.id order by 1) as revoked_certificates
from stations s join organizations g on g.id = s.org_id left join registry_outbox o on o.station_id = s.id`;

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

/** Whether Postgres knows of this revision. One that it does not know comes from commits that it lost. */
export const isKnown = (rev: number, { upTo, also }: KnownRevisions): boolean => rev <= upTo || also.includes(rev);

// An equal revision is written too: it is the same content, or the heartbeat interval of a new configuration.
const WRITE = `
redis.call('DEL', KEYS[2])
local stored = redis.call('HMGET', KEYS[1], 'rev', 'record')
if stored[1] then
  local known = tonumber(stored[1]) <= tonumber(ARGV[3])
  for i = 4, #ARGV do known = known or stored[1] == ARGV[i] end
  if not known then return stored end
  if tonumber(stored[1]) > tonumber(ARGV[1]) then return 0 end
end
redis.call('HSET', KEYS[1], 'rev', ARGV[1], 'record', ARGV[2])
return 1`;

/** What Redis holds of a station, from commits that Postgres does not have. */
export interface HeldRecord {
  rev: number;
  /** Undefined: it cannot be read, so there is nothing to take from it. */
  record: StationRecord | undefined;
}

/**
 * Writes one record unless Redis has a newer one, and lifts the gateways' "no such station". Rejects when Redis is away.
 * @returns what Redis holds when it is a revision that Postgres does not know: then nothing was written.
 */
export async function writeRegistryEntry(
  redis: Redis | Cluster,
  { identity, record, known }: RegistryEntry,
): Promise<HeldRecord | undefined> {
  const held = await redis.eval(
    WRITE,
    2,
    stationRecord(identity),
    unknownStation(identity),
    String(record.rev),
    encodeStationRecord(record),
    String(known.upTo),
    ...known.also.map(String),
  );
  if (!Array.isArray(held)) return undefined;
  const [rev, text] = held as [string, string | null];
  return { rev: Number(rev), record: readable(text) };
}

/** A record of a newer format too: what this build cannot read it must not take apart. */
function readable(text: string | null): StationRecord | undefined {
  try {
    return text === null ? undefined : decodeStationRecord(text);
  } catch {
    return undefined;
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
    known: { upTo: Number(row.base_rev ?? row.registry_rev), also: (row.revs ?? []).map(Number) },
  };
}
