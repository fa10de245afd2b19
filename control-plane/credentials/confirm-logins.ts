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
 * before the station takes the new one. One with a password that Postgres does not know has the registry compared with what
 * Redis holds, by which the station was let in: Postgres may have lost it.
 */
export async function confirmLogins(sql: Sql, logins: readonly PasswordLogin[]): Promise<void> {
  if (logins.length === 0) return;
  // Of nearly all stations there is nothing to tell: one statement for the whole batch.
  const stations = await sql.query<{ id: string }>(
    `select station_id::text as id from (
       select station_id from station_verifiers where station_id = any($1::bigint[]) and slot <> 'current'
       union select station_id from password_changes where station_id = any($1::bigint[]) and state = 'accepted' and confirmed_at is null
       union select station_id from unnest($1::bigint[], $2::text[]) as l (station_id, verifier)
         where not exists (select 1 from station_verifiers v where v.station_id = l.station_id and left(encode(v.digest, 'base64'), 16) = l.verifier)) s
     order by station_id`,
    [logins.map((login) => login.stationId), logins.map((login) => login.verifier)],
  );
  for (const { id } of stations) {
    await lockStation(sql, id);
    for (const login of logins) if (login.stationId === id) await confirm(sql, login);
  }
}

const isNew = (slot: string) => slot.startsWith("pending");
/** Known from Redis alone: the station's last one perhaps, of a change that Postgres lost. */
const isRestored = (slot: string) => slot.startsWith("restored");

/** Whether a login with the one says that the other is over. */
function ends(matched: string, other: string): boolean {
  if (isNew(matched)) return true;
  return !isNew(other) && (isRestored(matched) || !isRestored(other));
}

async function confirm(sql: Sql, { stationId, verifier }: PasswordLogin): Promise<void> {
  const verifiers = await sql.query<{ slot: string; matched: boolean }>(
    `select slot, left(encode(digest, 'base64'), 16) = $2 as matched from station_verifiers where station_id = $1`,
    [stationId, verifier],
  );
  const matched = verifiers.find((v) => v.matched);
  if (matched === undefined) return requestRegistryWrite(sql, stationId);
  const ended = verifiers.filter((v) => v !== matched && ends(matched.slot, v.slot)).map((v) => v.slot);
  // Of one that the station accepted before, only that it came with it is news.
  if (!isRestored(matched.slot))
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
