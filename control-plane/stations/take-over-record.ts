import type { StationRecord, StationVerifier } from "@dynamo-csms/proto/station-record";
import type { Sql } from "../database.ts";
import type { RegistryEntry } from "./registry-record.ts";

/**
 * Takes over what the record in Redis has and Postgres does not, in the caller's transaction, behind the station's lock: the
 * record comes from commits that Postgres lost. It is what the gateways go by since, so nobody is locked out who is let in
 * now; and nothing that was taken away (a password, a certificate, the station itself) comes back (ADR 0017). What was changed
 * in Postgres after the loss stands.
 */
export async function takeOverRecord(sql: Sql, entry: RegistryEntry, held: StationRecord): Promise<void> {
  const { stationId, record } = entry;
  // Another one of the same identity, whose registration is lost: nothing of it is this station's.
  if (held.chargePointId !== record.chargePointId || held.orgId !== record.orgId) return;
  await takeOverStation(sql, stationId, held);
  await takeOverPasswords(sql, stationId, held);
  await takeOverRevocations(sql, stationId, held.revokedCertificates ?? []);
}

/** The stricter of the two, where they differ; the version as the gateways know it, or the station could not connect. */
async function takeOverStation(sql: Sql, stationId: string, held: StationRecord): Promise<void> {
  await sql.query(
    `update stations set
       registration = case when $2 = 'rejected' or ($2 = 'accepted' and registration <> 'rejected') then $2 else registration end,
       security_profile = greatest(security_profile, $3), ocpp_version = coalesce($4, ocpp_version),
       retired_at = case when $5 then coalesce(retired_at, now()) else retired_at end
     where id = $1`,
    [stationId, held.registration, held.securityProfile, held.ocppVersions[0] ?? null, held.retired],
  );
}

interface KnownVerifier {
  slot: string;
  digest: string;
  later: boolean;
  /** A change of the station's password was taken since. */
  changed: boolean;
}

async function takeOverPasswords(sql: Sql, stationId: string, held: StationRecord): Promise<void> {
  if (held.verifiers.length === 0) return;
  const known = await sql.query<KnownVerifier>(
    `select slot, translate(encode(digest, 'base64'), E'\\n', '') as digest, created_at > to_timestamp($2::double precision / 1000) as later,
       exists (select 1 from password_changes c where c.station_id = $1 and c.state in ('accepted', 'confirmed')
                 and c.closed_at > to_timestamp($2::double precision / 1000)) as changed
     from station_verifiers where station_id = $1`,
    [stationId, held.rev],
  );
  // A password that an operator set since: it was to be the only one.
  if (known.some(({ slot, later }) => slot === "current" && later)) return;
  const heldDigests = new Set(held.verifiers.map(({ digest }) => digest));
  const open = held.verifiers.slice(countEndedSince(held.verifiers, known));
  // Refused by the gateways already. One that a change may still bring stays: its change will say.
  const ended = known.filter(({ slot, digest }) => !slot.startsWith("pending") && !heldDigests.has(digest));
  await sql.query("delete from station_verifiers where station_id = $1 and slot = any($2::text[])", [
    stationId,
    ended.map(({ slot }) => slot),
  ]);
  const left = known.filter((verifier) => !ended.includes(verifier));
  if (left.length > 0 && left.every(({ slot, digest }) => slot.startsWith("pending") && heldDigests.has(digest)))
    await endTakenChange(sql, stationId, left);
  const missing = open.filter(({ digest }) => !left.some((verifier) => verifier.digest === digest));
  const slots = slotsFor(missing, new Set(left.map(({ slot }) => slot)));
  await sql.query(
    `insert into station_verifiers (station_id, slot, digest, pepper_id, encoding)
     select $1, slot, decode(digest, 'base64'), pepper_id, encoding from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as v (slot, digest, pepper_id, encoding)`,
    [
      stationId,
      slots,
      missing.map(({ digest }) => digest),
      missing.map(({ pepperId }) => pepperId),
      missing.map(({ encoding }) => encoding),
    ],
  );
}

/**
 * How many of the first ones in the record were ended in Postgres after it was written. It names the one in use before that of a
 * change under way: when the change was taken since, what stands before the new password came to its end with it.
 */
function countEndedSince(held: readonly StationVerifier[], known: readonly KnownVerifier[]): number {
  const current = held.findLastIndex(({ digest }) =>
    known.some((verifier) => verifier.changed && verifier.slot.startsWith("current") && verifier.digest === digest),
  );
  return Math.max(current, 0);
}

/** The gateways let the station in by the new password alone: it had taken it, and what else becomes of the change changes nothing. */
async function endTakenChange(sql: Sql, stationId: string, pending: KnownVerifier[]): Promise<void> {
  await sql.query(`update station_verifiers set slot = replace(slot, 'pending', 'current') where station_id = $1`, [
    stationId,
  ]);
  await sql.query(
    `update password_changes set state = 'accepted', closed_at = now(), next_step_at = null, sealed_password = null
     where station_id = $1 and closed_at is null`,
    [stationId],
  );
  for (const verifier of pending) verifier.slot = verifier.slot.replace("pending", "current");
}

/** The record does not say which is which: only one that is alone is surely the current one. */
function slotsFor(missing: readonly StationVerifier[], taken: Set<string>): string[] {
  if (missing.length === 1 && taken.size === 0) return ["current"];
  const free = Array.from({ length: missing.length + taken.size }, (_, at) => `restored_${at + 1}`);
  return free.filter((slot) => !taken.has(slot)).slice(0, missing.length);
}

async function takeOverRevocations(sql: Sql, stationId: string, fingerprints: readonly string[]): Promise<void> {
  if (fingerprints.length === 0) return;
  await sql.query(
    `update station_certificates set state = 'revoked', revoked_at = now(), revocation_reason = 'revoked before Postgres lost it', revocation_due_at = now()
     where station_id = $1 and fingerprint = any($2::text[]) and revoked_at is null`,
    [stationId, fingerprints],
  );
  await sql.query(
    `insert into restored_revocations (station_id, fingerprint)
     select $1, f from unnest($2::text[]) as f
     where not exists (select 1 from station_certificates c where c.station_id = $1 and c.fingerprint = f)
     on conflict do nothing`,
    [stationId, fingerprints],
  );
}
