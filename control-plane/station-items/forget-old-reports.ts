import type { Sql } from "../database.ts";

/** In pieces: nobody waits for it. */
const AT_ONCE = 5_000;

/** What stations reported and nobody looks at any more. Deleting it twice, or in several processes at once, is harmless. */
const OLD = [
  // Which parts of a report are here: of use while it comes in.
  `delete from station_reports where ctid = any(array(
     select ctid from station_reports where updated_at < now() - interval '7 days' limit ${AT_ONCE}))`,
  `delete from station_notices where id in (
     select id from station_notices where received_at < now() - interval '400 days' limit ${AT_ONCE})`,
  // What is in force no more, once every lane that could tell older things of it is read; and tariffs of past transactions.
  `delete from station_items where ctid = any(array(
     select ctid from station_items
     where received_at < now() - interval '30 days' and (not present or (kind = 'tariff' and item_key like 'transaction/%'))
     limit ${AT_ONCE}))`,
];

/** Shortens the tables of what stations reported. Security events stay: forget_security_events() is their retention. */
export async function forgetOldReports(sql: Sql): Promise<void> {
  for (const statement of OLD) await sql.query(statement);
}
