import { QUIRK_NAMES } from "@dynamo-csms/proto/quirks";
import { z } from "zod";
import type { Sql } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";

/** How far back the counters of an answer go. */
const USAGE_DAYS = 30;

const counted = {
  quirk: z.enum(QUIRK_NAMES),
  mode: z.enum(["report_only", "accept"]),
  count: z
    .number()
    .int()
    .describe(`times met in the last ${USAGE_DAYS} days: forgiven, or with report_only refused all the same`),
  last_at: isoTime(),
  last_detail: z.string(),
};

export const stationUsage = z.array(z.object(counted));
export const profileUsage = z.array(z.object({ ...counted, charge_points: z.number().int() }));

interface UsageRow {
  quirk: (typeof QUIRK_NAMES)[number];
  mode: "report_only" | "accept";
  count: number;
  last_at: Date;
  last_detail: string;
  charge_points: number;
}

const SELECT = `
  select c.quirk, c.mode, sum(c.count)::float8 as count, max(c.last_at) as last_at, count(distinct c.station_id)::int as charge_points,
         (array_agg(c.detail order by c.last_at desc))[1] as last_detail
  from quirk_counters c`;
const SINCE = `c.day > current_date - ${USAGE_DAYS} and c.quirk = any($2::text[]) group by c.quirk, c.mode order by c.quirk, c.mode`;

/** What was met at one station. */
export async function usageOfStation(sql: Sql, stationId: string): Promise<z.output<typeof stationUsage>> {
  const rows = await sql.query<UsageRow>(`${SELECT} where c.station_id = $1 and ${SINCE}`, [stationId, QUIRK_NAMES]);
  return rows.map(({ charge_points: _, ...row }) => ({ ...row, last_at: isoMillis(row.last_at) }));
}

/** What was met at the stations that the profile is in force for now. */
export async function usageOfProfile(sql: Sql, profileId: string): Promise<z.output<typeof profileUsage>> {
  const rows = await sql.query<UsageRow>(
    `${SELECT} join stations s on s.id = c.station_id where s.quirk_profile = $1 and s.retired_at is null and ${SINCE}`,
    [profileId, QUIRK_NAMES],
  );
  return rows.map((row) => ({ ...row, last_at: isoMillis(row.last_at) }));
}

/** How many stations the profile is in force for. */
export async function countStationsOf(sql: Sql, profileId: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    "select count(*)::int as count from stations where quirk_profile = $1 and retired_at is null",
    [profileId],
  );
  return row?.count ?? 0;
}
