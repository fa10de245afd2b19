import { randomInt } from "node:crypto";
import { digestPassword, type Peppers } from "@dynamo-csms/proto/station-password";
import type { Sql } from "../database.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** 119 bit. Twenty letters and digits is what charge points of every make accept (OCPP 2.0.1: 16 to 40). */
export function newProvisioningPassword(): string {
  return Array.from({ length: 20 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}

/** What is stored of a password that travels as its text: the digest under the first, newest pepper. */
export function verifierOf(password: string, peppers: Peppers): { digest: Buffer; pepperId: string } {
  const [newest] = peppers;
  if (newest === undefined) throw new Error("no pepper is configured");
  const [pepperId, pepper] = newest;
  return { digest: digestPassword(Buffer.from(password, "utf8"), pepper), pepperId };
}

/** Makes this the station's only password, in the caller's transaction. The registry is to be written after it. */
export async function replacePassword(sql: Sql, stationId: string, password: string, peppers: Peppers): Promise<void> {
  const { digest, pepperId } = verifierOf(password, peppers);
  await endPasswordChanges(sql, stationId);
  await sql.query(`delete from station_verifiers where station_id = $1`, [stationId]);
  await sql.query(
    `insert into station_verifiers (station_id, slot, digest, pepper_id, encoding) values ($1, 'current', $2, $3, 'literal')`,
    [stationId, digest, pepperId],
  );
}

/** A change over OCPP that is under way must not reach the station any more: it would take a password that nobody accepts. */
async function endPasswordChanges(sql: Sql, stationId: string): Promise<void> {
  await sql.query(
    `with ended as (
       update password_changes set state = 'replaced', closed_at = now(), next_step_at = null, sealed_password = null
       where station_id = $1 and closed_at is null returning command_id)
     update commands set valid_until = least(valid_until, now()), deadline_at = case when state = 'queued' then now() else deadline_at end
     where id in (select command_id from ended) and final_at is null and deliver = 'when_connected'`,
    [stationId],
  );
}
