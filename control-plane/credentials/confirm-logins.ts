import type { Sql } from "../database.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { lockStation } from "./password-change.ts";

/** A connection that was let in by a password. */
export interface PasswordLogin {
  stationId: string;
  /** The first 16 characters of the digest (base64) of the verifier that matched. */
  verifier: string;
}

/**
 * Where a station has more than one password, or one in two forms, its login tells which it is: a login with the new
 * one ends the old, and one with either form of a key ends the other. A login with the old one tells nothing: it may come
 * before the station takes the new one.
 */
export async function confirmLogins(sql: Sql, logins: readonly PasswordLogin[]): Promise<void> {
  if (logins.length === 0) return;
  // Of nearly all stations there is nothing to tell: one statement for the whole batch.
  const stations = await sql.query<{ id: string }>(
    `select station_id::text as id from (
       select station_id from station_verifiers where station_id = any($1::bigint[]) and slot <> 'current'
       union select station_id from password_changes where station_id = any($1::bigint[]) and state = 'accepted' and confirmed_at is null) s
     order by station_id`,
    [logins.map((login) => login.stationId)],
  );
  for (const { id } of stations) {
    await lockStation(sql, id);
    for (const login of logins) if (login.stationId === id) await confirm(sql, login);
  }
}

const isNew = (slot: string) => slot.startsWith("pending");

async function confirm(sql: Sql, { stationId, verifier }: PasswordLogin): Promise<void> {
  const verifiers = await sql.query<{ slot: string; matched: boolean }>(
    `select slot, left(encode(digest, 'base64'), 16) = $2 as matched from station_verifiers where station_id = $1`,
    [stationId, verifier],
  );
  const matched = verifiers.find((v) => v.matched);
  if (matched === undefined) return;
  const ended = verifiers.filter((v) => v !== matched && (isNew(matched.slot) || !isNew(v.slot))).map((v) => v.slot);
  // Of one that the station accepted before, only that it came with it is news.
  await sql.query(
    `update password_changes set confirmed_at = now(), state = case when closed_at is null then 'confirmed' else state end,
       closed_at = coalesce(closed_at, now()), next_step_at = null, sealed_password = null
     where id = (select id from password_changes where station_id = $1 and case when $2 then closed_at is null else state = 'accepted' end
                 order by created_at desc limit 1) and confirmed_at is null`,
    [stationId, isNew(matched.slot)],
  );
  if (ended.length === 0 && matched.slot === "current") return;
  await sql.query(`delete from station_verifiers where station_id = $1 and slot = any($2::text[])`, [stationId, ended]);
  await sql.query(`update station_verifiers set slot = 'current' where station_id = $1 and slot = $2`, [
    stationId,
    matched.slot,
  ]);
  await requestRegistryWrite(sql, stationId);
}
