import type { Sql } from "../database.ts";

/** The newest signs of life of one station in a batch; gateway clocks. */
export interface Seen {
  stationId: string;
  lastSeenAt: Date;
  lastHeartbeatAt: Date | undefined;
}

/**
 * Moves last_seen_at and last_heartbeat_at forwards, never back and never past this clock: one report of a gateway whose
 * clock is ahead would hold back all that follow. At most one `Seen` per station.
 */
export async function recordSeen(sql: Sql, seen: readonly Seen[]): Promise<void> {
  if (seen.length === 0) return;
  await sql.query(
    `insert into station_seen (station_id, last_seen_at, last_heartbeat_at)
     select station_id, least(last_seen_at, now()), case when last_heartbeat_at is not null then least(last_heartbeat_at, now()) end
     from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) as s (station_id, last_seen_at, last_heartbeat_at)
     order by station_id
     on conflict (station_id) do update set
       last_seen_at = greatest(station_seen.last_seen_at, excluded.last_seen_at),
       last_heartbeat_at = greatest(station_seen.last_heartbeat_at, excluded.last_heartbeat_at)
     where excluded.last_seen_at > station_seen.last_seen_at
        or excluded.last_heartbeat_at > coalesce(station_seen.last_heartbeat_at, '-infinity')`,
    [
      seen.map((s) => s.stationId),
      seen.map((s) => s.lastSeenAt.toISOString()),
      seen.map((s) => s.lastHeartbeatAt?.toISOString() ?? null),
    ],
  );
}
