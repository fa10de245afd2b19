import type { QuirkMode, QuirkName } from "@dynamo-csms/proto/quirks";
import type { Sql } from "../database.ts";

/** A gateway's word that a quirk was met, as the lane has it. */
export interface QuirkReport {
  stationId: string;
  quirk: QuirkName;
  mode: QuirkMode;
  count: number;
  /** Gateway clock. */
  at: Date;
  /** For a person, storable. */
  detail: string;
}

/** A connection that ended because of a frame over the limit. */
export interface OversizedFrame {
  stationId: string;
  /** Gateway clock. */
  at: Date;
}

/** No station is met so often in one report; a number beyond it is a mistake that must not hold up the lane. */
const MAX_COUNT = 1_000_000;
const MAX_DETAIL = 200;

/**
 * Adds to the counters, one row per station, quirk, mode and day however often it was met. Only in the transaction that
 * moves the lane's offset: that is what makes each report count once.
 */
export async function recordQuirks(sql: Sql, reports: readonly QuirkReport[]): Promise<void> {
  if (reports.length === 0) return;
  const rows = new Map<string, QuirkReport>();
  for (const report of reports) {
    const key = `${report.stationId} ${report.quirk} ${report.mode} ${dayOf(report.at)}`;
    const other = rows.get(key);
    const count = (other?.count ?? 0) + Math.min(Math.max(1, Math.trunc(report.count) || 1), MAX_COUNT);
    rows.set(key, { ...(other !== undefined && other.at > report.at ? other : report), count });
  }
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  await sql.query(
    `insert into quirk_counters as c (station_id, quirk, mode, day, count, last_at, detail)
     select * from unnest($1::bigint[], $2::text[], $3::text[], $4::date[], $5::bigint[], $6::timestamptz[], $7::text[])
     on conflict (station_id, quirk, mode, day) do update set
       count = c.count + excluded.count,
       detail = case when excluded.last_at >= c.last_at then excluded.detail else c.detail end,
       last_at = greatest(c.last_at, excluded.last_at)`,
    [
      sorted.map((r) => r.stationId),
      sorted.map((r) => r.quirk),
      sorted.map((r) => r.mode),
      sorted.map((r) => dayOf(r.at)),
      sorted.map((r) => r.count),
      sorted.map((r) => r.at.toISOString()),
      sorted.map((r) => r.detail.slice(0, MAX_DETAIL)),
    ],
  );
}

/** Counts connections that ended because of a frame over the limit, per station and day. As `recordQuirks`. */
export async function recordOversizedFrames(sql: Sql, frames: readonly OversizedFrame[]): Promise<void> {
  if (frames.length === 0) return;
  const days = Map.groupBy(frames, ({ stationId, at }) => `${stationId} ${dayOf(at)}`);
  const rows = [...days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, met]) => met);
  await sql.query(
    `insert into oversized_frames as o (station_id, day, count, last_at)
     select * from unnest($1::bigint[], $2::date[], $3::bigint[], $4::timestamptz[])
     on conflict (station_id, day) do update set count = o.count + excluded.count, last_at = greatest(o.last_at, excluded.last_at)`,
    [
      rows.map(([first]) => first?.stationId),
      rows.map(([first]) => first && dayOf(first.at)),
      rows.map((met) => met.length),
      rows.map((met) => new Date(Math.max(...met.map(({ at }) => at.getTime()))).toISOString()),
    ],
  );
}

/** UTC. */
const dayOf = (at: Date): string => at.toISOString().slice(0, 10);
