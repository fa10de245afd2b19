import type pg from "pg";
import { inTransaction } from "../database.ts";
import { recordEvents } from "../webhooks/record-event.ts";

interface DueRow {
  station_id: string;
  charge_point_id: string;
  org_id: string;
  project_id: string | null;
  closed_at: Date;
  close_reason: string | null;
}

/**
 * Tells charge_point.disconnected of stations that stayed away for the grace time (DISCONNECT_GRACE_MS). A sweep of the
 * jobs process; several may run at once. Resolves to how many were told; rejects when Postgres is away.
 */
export async function tellDueDisconnects(deps: { pool: pg.Pool; limit: number }): Promise<number> {
  return inTransaction(deps.pool, async (sql) => {
    const due = await sql.query<DueRow>(
      `select c.station_id::text as station_id, s.charge_point_id, s.org_id, s.project_id, c.closed_at, c.close_reason
       from station_connections c join stations s on s.id = c.station_id
       where c.disconnect_due_at <= now() and c.closed_at is not null
       order by c.disconnect_due_at limit $1 for update of c skip locked`,
      [deps.limit],
    );
    if (due.length === 0) return 0;
    await recordEvents(
      sql,
      due.map((row) => ({
        orgId: row.org_id,
        type: "charge_point.disconnected",
        data: {
          charge_point_id: row.charge_point_id,
          project_id: row.project_id,
          disconnected_at: row.closed_at.toISOString(),
          reason: row.close_reason === "" ? null : row.close_reason,
        },
      })),
    );
    await sql.query(
      `update station_connections set connected_told = false, disconnect_due_at = null where station_id = any($1::bigint[])`,
      [due.map((row) => row.station_id)],
    );
    return due.length;
  });
}
