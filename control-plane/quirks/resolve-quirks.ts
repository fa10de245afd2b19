import type { Sql } from "../database.ts";

/**
 * What is in force for the station `s`, as a row (profile, settings): its own overrides, quirk by quirk, and for the rest
 * the one profile of its organisation that matches best (quirk_profiles.specificity; then the older). It is matched by
 * what the station said when it booted, and as long as it has not by what it was registered as.
 */
const IN_FORCE = `
  select p.id as profile,
         nullif(jsonb_strip_nulls(coalesce(p.settings, '{}') || coalesce(o.overrides, '{}')), '{}'::jsonb) as settings
  from (select coalesce(b.vendor, s.vendor) as vendor, coalesce(b.model, s.model) as model, b.firmware_version as firmware
        from (select 1) as one left join station_boots b on b.station_id = s.id) f
  left join lateral (
    select q.id, q.settings from quirk_profiles q
    where q.org_id = s.org_id
      and (q.vendor_like is null or lower(f.vendor) like q.vendor_like)
      and (q.model_like is null or lower(f.model) like q.model_like)
      and (q.firmware_like is null or lower(f.firmware) like q.firmware_like)
    order by q.specificity desc, q.created_at, q.id limit 1) p on true
  left join station_quirks o on o.station_id = s.id`;

/**
 * Resolves the stations' quirks anew and keeps what has changed in their rows. Call it in a statement after the one that
 * locked the rows: what others committed while it waited for them must be seen.
 * @returns the stations whose settings are other than before, and so must be told to the gateways.
 */
export async function settleQuirks(sql: Sql, stationIds: readonly (string | number)[]): Promise<string[]> {
  const rows = await sql.query<{ id: string; differs: boolean }>(
    `with resolved as (
       select s.id, r.profile, r.settings, s.quirks is distinct from r.settings as differs
       from stations s cross join lateral (${IN_FORCE}) r where s.id = any($1::bigint[]))
     update stations t set quirks = resolved.settings, quirk_profile = resolved.profile
     from resolved where t.id = resolved.id and (resolved.differs or t.quirk_profile is distinct from resolved.profile)
     returning t.id::text as id, resolved.differs`,
    [stationIds.map(String)],
  );
  return rows.filter((row) => row.differs).map((row) => row.id);
}

/** Stations of the organisation, from `after` on in the order of their ids, whose row is not what would be resolved now. */
export async function unsettledStations(sql: Sql, orgId: string, after: string, limit: number) {
  return sql.query<{ id: string; unsettled: boolean }>(
    `select s.id::text as id, (s.quirks, s.quirk_profile) is distinct from (r.settings, r.profile) as unsettled
     from (select * from stations where org_id = $1 and id > $2::bigint and retired_at is null order by stations.id limit $3) s
     cross join lateral (${IN_FORCE}) r order by s.id`,
    [orgId, after, limit],
  );
}

/** How many stations of the organisation would be let in or read differently, were all resolved now. */
export async function countUnsettled(sql: Sql, orgId: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*)::int as count from stations s cross join lateral (${IN_FORCE}) r
     where s.org_id = $1 and s.retired_at is null and s.quirks is distinct from r.settings`,
    [orgId],
  );
  return row?.count ?? 0;
}
