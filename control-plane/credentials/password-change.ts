import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { seal, type SecretsKey, unseal } from "@dynamo-csms/proto/sealed-secret";
import type { Peppers } from "@dynamo-csms/proto/station-password";
import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { pendingVerifiers } from "./new-password.ts";

export type PasswordChangeState =
  | "preparing"
  | "queued"
  | "unconfirmed"
  | "accepted"
  | "confirmed"
  | "rejected"
  | "not_sent"
  | "replaced";

/** A change of a station's password over OCPP, its row locked. */
export interface PasswordChange {
  id: string;
  stationId: string;
  orgId: string;
  version: OcppVersion;
  state: PasswordChangeState;
  sealedPassword: string | null;
  repeats: boolean;
  attempts: number;
  perhapsSet: boolean;
  commandId: string | null;
  requestedBy: string;
}

const COLUMNS = `c.id, c.station_id::text as "stationId", c.org_id as "orgId", c.ocpp_version as version, c.state,
  c.sealed_password as "sealedPassword", c.repeats, c.attempts, c.perhaps_set as "perhapsSet", c.command_id as "commandId",
  c.requested_by as "requestedBy"`;

const sealContext = (changeId: string) => `password-change:${changeId}`;

export interface NewPasswordChange {
  stationId: string;
  orgId: string;
  version: OcppVersion;
  password: string;
  requestedBy: string;
  /** The command that an operator sends word by word; without one the change sends its own, again while its outcome is unknown. */
  commandId?: string;
}

/**
 * Writes down, in the caller's transaction, that a station's password is about to change: from the registry write on, which
 * must be confirmed before anything is sent, both passwords are accepted.
 * @returns the change's id; undefined when one is under way.
 */
export async function openPasswordChange(
  sql: Sql,
  change: NewPasswordChange,
  keys: { secretsKey: SecretsKey; peppers: Peppers },
): Promise<string | undefined> {
  const id = newId("rot");
  await lockStation(sql, change.stationId);
  const { stationId, orgId, version, password, requestedBy, commandId } = change;
  const opened = await sql.query(
    `insert into password_changes (id, station_id, org_id, ocpp_version, state, sealed_password, repeats, command_id, requested_by, next_step_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, case when $7 then now() end)
     on conflict (station_id) where closed_at is null do nothing returning id`,
    [
      id,
      stationId,
      orgId,
      version,
      commandId === undefined ? "preparing" : "queued",
      seal(keys.secretsKey, sealContext(id), password),
      commandId === undefined,
      commandId ?? null,
      requestedBy,
    ],
  );
  if (opened.length === 0) return undefined;
  await dropPending(sql, stationId);
  const verifiers = pendingVerifiers(version, password, keys.peppers);
  await sql.query(
    `insert into station_verifiers (station_id, slot, digest, pepper_id, encoding)
     select $1, * from unnest($2::text[], $3::bytea[], $4::text[], $5::text[])`,
    [
      stationId,
      verifiers.map((v) => v.slot),
      verifiers.map((v) => v.digest),
      verifiers.map((v) => v.pepperId),
      verifiers.map((v) => v.encoding),
    ],
  );
  await requestRegistryWrite(sql, stationId);
  return id;
}

/** The password that the change is to bring; undefined when it is closed and the password forgotten. */
export const passwordOf = (change: PasswordChange, secretsKey: SecretsKey): string | undefined =>
  change.sealedPassword === null ? undefined : unseal(secretsKey, sealContext(change.id), change.sealedPassword);

/** Locks a change that is open, behind its station's row: the order in which everybody locks them. Undefined: there is none of that. */
export async function lockOpenChange(
  sql: Sql,
  by: { id: string } | { commandId: string } | { stationId: string },
): Promise<PasswordChange | undefined> {
  const [column, value] =
    "id" in by ? ["id", by.id] : "commandId" in by ? ["command_id", by.commandId] : ["station_id", by.stationId];
  const open = `from password_changes c where c.${column} = $1 and c.closed_at is null`;
  const [seen] = await sql.query<{ station_id: string }>(`select c.station_id::text as station_id ${open}`, [value]);
  if (seen === undefined) return undefined;
  await lockStation(sql, seen.station_id);
  const [change] = await sql.query<PasswordChange>(`select ${COLUMNS} ${open} for update`, [value]);
  return change;
}

/** First of all that is locked where a station's passwords change. */
export async function lockStation(sql: Sql, stationId: string): Promise<void> {
  await sql.query("select 1 from stations where id = $1 for no key update", [stationId]);
}

/** Ends a change and forgets its password. What becomes of the verifiers is the caller's. */
export async function closeChange(
  sql: Sql,
  change: { id: string },
  state: "accepted" | "confirmed" | "rejected" | "not_sent",
): Promise<void> {
  await sql.query(
    `update password_changes set state = $2, closed_at = now(), next_step_at = null, sealed_password = null,
       confirmed_at = case when $2 = 'confirmed' then now() end where id = $1`,
    [change.id, state],
  );
}

/**
 * The new password is the only one from now on, in the forms in which it may travel. The registry is to be written after it.
 * Without one nothing ends: it was taken over from Redis, or became the only one before.
 */
export async function promotePending(sql: Sql, stationId: string): Promise<void> {
  await sql.query(
    `delete from station_verifiers v where v.station_id = $1 and v.slot not in ('pending', 'pending_text')
       and exists (select 1 from station_verifiers p where p.station_id = $1 and p.slot in ('pending', 'pending_text'))`,
    [stationId],
  );
  await sql.query(`update station_verifiers set slot = replace(slot, 'pending', 'current') where station_id = $1`, [
    stationId,
  ]);
}

/** The new password is forgotten: the station surely never took it. The registry is to be written after it. */
export async function dropPending(sql: Sql, stationId: string): Promise<void> {
  await sql.query(`delete from station_verifiers where station_id = $1 and slot in ('pending', 'pending_text')`, [
    stationId,
  ]);
}
