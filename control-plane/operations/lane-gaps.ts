import type { Sql } from "../database.ts";

/** Entries that were acknowledged and that a lane lacks. */
export interface LaneGap {
  laneId: string;
  nodeId: string | null;
  fromEntry: string;
  toEntry: string;
  noticedAt: Date;
  acknowledgedAt: Date | null;
  acknowledgedBy: string | null;
  note: string | null;
}

/** Newest first. @param all also those that somebody has acknowledged. */
export async function listGaps(sql: Sql, { all, limit }: { all: boolean; limit: number }): Promise<LaneGap[]> {
  return sql.query<LaneGap>(
    `select g.lane_id as "laneId", nullif(l.node_id, '') as "nodeId", g.from_entry as "fromEntry", g.to_entry as "toEntry",
            g.noticed_at as "noticedAt", g.acknowledged_at as "acknowledgedAt", g.acknowledged_by as "acknowledgedBy", g.note
     from lane_gaps g left join lanes l on l.id = g.lane_id
     where $1 or g.acknowledged_at is null order by g.noticed_at desc, g.lane_id, g.from_entry limit $2`,
    [all, limit],
  );
}

/** Notes that somebody has seen to a lane's open gaps. @returns how many there were. */
export async function acknowledgeGaps(
  sql: Sql,
  laneId: string,
  { by, note }: { by: string; note: string },
): Promise<number> {
  const rows = await sql.query(
    `update lane_gaps set acknowledged_at = now(), acknowledged_by = $2, note = $3
     where lane_id = $1 and acknowledged_at is null returning from_entry`,
    [laneId, by, note],
  );
  return rows.length;
}
