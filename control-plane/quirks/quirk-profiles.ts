import type { QuirkSettings } from "@dynamo-csms/proto/quirks";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type pg from "pg";
import { inTransaction, type Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { requestFanOut } from "./fan-out-quirks.ts";
import type { GivenQuirks } from "./quirk-settings.ts";
import { countUnsettled } from "./resolve-quirks.ts";

/** Which stations a profile is for. A pattern: `*` stands for any run of characters, upper and lower case are one; null: any. */
export interface QuirkMatch {
  vendor: string | null;
  model: string | null;
  firmware: string | null;
}

export interface QuirkProfile extends QuirkMatch {
  id: string;
  name: string;
  settings: QuirkSettings;
  createdAt: Date;
  /** With all its microseconds: for cursors. */
  createdAtText: string;
  updatedAt: Date;
}

export type ProfileRefusal = { kind: "not-found" } | { kind: "same-match" } | { kind: "too-many" };

/** A change of profiles, and how many stations are read differently because of it. */
export interface Changed {
  profile: QuirkProfile;
  affected: number;
}

/** More would make each boot slow, and nobody would know which one counts. */
export const MAX_PROFILES = 200;

const COLUMNS = `id, name, vendor, model, firmware, settings, created_at as "createdAt", updated_at as "updatedAt",
  to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as "createdAtText"`;

/** The organisation's profiles, oldest first, from behind `after` on. */
export async function listProfiles(
  sql: Sql,
  orgId: string,
  after: { createdAt: string; id: string } | undefined,
  limit: number,
): Promise<QuirkProfile[]> {
  return sql.query<QuirkProfile>(
    `select ${COLUMNS} from quirk_profiles
     where org_id = $1 and ($2::timestamptz is null or (created_at, id) > ($2::timestamptz, $3::text))
     order by quirk_profiles.created_at, id limit $4`,
    [orgId, after?.createdAt ?? null, after?.id ?? null, limit],
  );
}

export async function findProfile(sql: Sql, orgId: string, id: string): Promise<QuirkProfile | undefined> {
  const [row] = await sql.query<QuirkProfile>(`select ${COLUMNS} from quirk_profiles where org_id = $1 and id = $2`, [
    orgId,
    id,
  ]);
  return row;
}

/** Makes a profile. It is in force for its stations when the fan-out that is asked for here has come to them. */
export function createProfile(
  pool: pg.Pool,
  orgId: string,
  profile: { name: string; settings: GivenQuirks } & QuirkMatch,
): Promise<Result<Changed, ProfileRefusal>> {
  return changing(pool, orgId, async (sql) => {
    const [count] = await sql.query<{ count: number }>(
      "select count(*)::int as count from quirk_profiles where org_id = $1",
      [orgId],
    );
    if ((count?.count ?? 0) >= MAX_PROFILES) return err({ kind: "too-many" });
    const [row] = await sql.query<QuirkProfile>(
      `insert into quirk_profiles (id, org_id, name, vendor, model, firmware, settings) values ($1, $2, $3, $4, $5, $6, $7)
       returning ${COLUMNS}`,
      [
        newId("quirk"),
        orgId,
        profile.name,
        profile.vendor,
        profile.model,
        profile.firmware,
        JSON.stringify(profile.settings),
      ],
    );
    return ok(row as QuirkProfile);
  });
}

/** Changes a profile; what is undefined stays. */
export function changeProfile(
  pool: pg.Pool,
  orgId: string,
  id: string,
  change: { name?: string | undefined; match?: QuirkMatch | undefined; settings?: GivenQuirks | undefined },
): Promise<Result<Changed, ProfileRefusal>> {
  return changing(pool, orgId, async (sql) => {
    const before = await findProfile(sql, orgId, id);
    if (before === undefined) return err({ kind: "not-found" });
    const match = change.match ?? before;
    const [row] = await sql.query<QuirkProfile>(
      `update quirk_profiles set name = $3, vendor = $4, model = $5, firmware = $6, settings = $7, updated_at = now()
       where org_id = $1 and id = $2 returning ${COLUMNS}`,
      [
        orgId,
        id,
        change.name ?? before.name,
        match.vendor,
        match.model,
        match.firmware,
        JSON.stringify(change.settings ?? before.settings),
      ],
    );
    return row === undefined ? err({ kind: "not-found" }) : ok(row);
  });
}

/** Its stations are read by the next best profile from then on, or strictly. */
export function deleteProfile(pool: pg.Pool, orgId: string, id: string): Promise<Result<Changed, ProfileRefusal>> {
  return changing(pool, orgId, async (sql) => {
    const [row] = await sql.query<QuirkProfile>(
      `delete from quirk_profiles where org_id = $1 and id = $2 returning ${COLUMNS}`,
      [orgId, id],
    );
    return row === undefined ? err({ kind: "not-found" }) : ok(row);
  });
}

/** Profiles of one organisation change one after the other, and each change asks for the fan-out in its own transaction. */
async function changing(
  pool: pg.Pool,
  orgId: string,
  change: (sql: Sql) => Promise<Result<QuirkProfile, ProfileRefusal>>,
): Promise<Result<Changed, ProfileRefusal>> {
  try {
    return await inTransaction(pool, async (sql) => {
      await sql.query("select 1 from organizations where id = $1 for no key update", [orgId]);
      const changed = await change(sql);
      if (!changed.ok) return changed;
      await requestFanOut(sql, orgId);
      return ok({ profile: changed.value, affected: await countUnsettled(sql, orgId) });
    });
  } catch (fault) {
    if ((fault as { constraint?: unknown }).constraint === "quirk_profiles_one_per_match")
      return err({ kind: "same-match" });
    throw fault;
  }
}
