import type pg from "pg";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { requestRegistryWrites } from "../stations/station-registry.ts";
import { unsettledStations } from "./resolve-quirks.ts";

// A profile may be for every station of a fleet: that many rows are no matter for the request that changes it, nor for
// one transaction. The request marks its organisation; its stations are gone through here, page by page.

/** Longer than a boot that was being filed while its station was passed may take to be committed. */
const SECOND_LOOK = "2 minutes";

/** Asks, in the transaction of a change, that the organisation's stations are resolved anew, from the first on. */
export async function requestFanOut(sql: Sql, orgId: string): Promise<void> {
  await sql.query(
    `insert into quirk_fan_outs (org_id) values ($1)
     on conflict (org_id) do update set after_station = 0, second_look = false, due_at = now()`,
    [orgId],
  );
}

export interface FanOutDeps {
  pool: pg.Pool;
  /** Stations looked at per transaction. */
  pageSize: number;
  maxPages: number;
}

/**
 * Goes on where fan-outs stand, at most so many pages: stations whose settings are other than before are marked for the
 * registry, whose relay writes them. Safe to run in several processes, and to break off anywhere.
 * @param onlyOrgId for the request that has just changed something: small fleets are done at once.
 * @returns how many stations were marked.
 */
export async function fanOutQuirks(deps: FanOutDeps, onlyOrgId?: string): Promise<number> {
  let marked = 0;
  for (let page = 0; page < deps.maxPages; page += 1) {
    const done = await inTransaction(deps.pool, (sql) => onePage(sql, deps.pageSize, onlyOrgId));
    if (done === undefined) break;
    marked += done;
  }
  return marked;
}

/** @returns how many were marked; undefined: nothing is due. */
async function onePage(sql: Sql, pageSize: number, onlyOrgId: string | undefined): Promise<number | undefined> {
  const [fanOut] = await sql.query<{ org_id: string; after: string; second_look: boolean }>(
    `select org_id, after_station::text as after, second_look from quirk_fan_outs
     where due_at <= now() and ($1::text is null or org_id = $1) order by due_at, org_id limit 1 for update skip locked`,
    [onlyOrgId ?? null],
  );
  if (fanOut === undefined) return undefined;
  const page = await unsettledStations(sql, fanOut.org_id, fanOut.after, pageSize);
  const unsettled = page.filter((station) => station.unsettled).map((station) => station.id);
  await requestRegistryWrites(sql, unsettled);
  const last = page.at(-1);
  if (last !== undefined && page.length === pageSize)
    await sql.query("update quirk_fan_outs set after_station = $2 where org_id = $1", [fanOut.org_id, last.id]);
  else if (fanOut.second_look) await sql.query("delete from quirk_fan_outs where org_id = $1", [fanOut.org_id]);
  else
    await sql.query(
      `update quirk_fan_outs set after_station = 0, second_look = true, due_at = now() + interval '${SECOND_LOOK}' where org_id = $1`,
      [fanOut.org_id],
    );
  return unsettled.length;
}

/** How long counters are kept: long enough to judge a profile by, and to compare two firmwares. */
const KEEP_DAYS = 90;
const FORGET_ROWS = 5_000;

/** Forgets counters whose time is over, in pieces. Safe to repeat. */
export async function forgetOldCounters(pool: pg.Pool): Promise<void> {
  for (const table of ["quirk_counters", "oversized_frames"])
    await sqlOn(pool).query(
      `delete from ${table} where ctid = any(array(select ctid from ${table} where day < current_date - ${KEEP_DAYS} limit ${FORGET_ROWS}))`,
    );
}
