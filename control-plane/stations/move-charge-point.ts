import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type pg from "pg";
import { endCommissioning } from "../commissioning/end-commissioning.ts";
import { inTransaction } from "../database.ts";
import { isSerialNumberTaken } from "./serial-number.ts";

export type MoveRefusal =
  | { kind: "not-found" }
  | { kind: "no-such-project" }
  | { kind: "handed-over" }
  | { kind: "duplicate" };

/**
 * Moves a unit to another project of its organisation, or out of all projects (null), with its commissioning. It may leave a
 * project that was handed over, whose certificate goes on naming it; it cannot enter one.
 */
export async function moveChargePoint(
  pool: pg.Pool,
  orgId: string,
  chargePointId: string,
  projectId: string | null,
): Promise<Result<undefined, MoveRefusal>> {
  return inTransaction(pool, async (sql): Promise<Result<undefined, MoveRefusal>> => {
    // Both projects, in the order of their ids, before the unit: two moves in opposite directions do not meet.
    const projects = await sql.query<{ id: string; org_id: string; status: string }>(
      `select p.id, p.org_id, p.status from projects p
       where p.id = $3 or p.id = (select project_id from stations where charge_point_id = $1 and org_id = $2) order by p.id for share`,
      [chargePointId, orgId, projectId],
    );
    const [unit] = await sql.query<{ id: string; project_id: string | null }>(
      `select id::text as id, project_id from stations where charge_point_id = $1 and org_id = $2 and retired_at is null for no key update`,
      [chargePointId, orgId],
    );
    if (unit === undefined) return err({ kind: "not-found" });
    if (unit.project_id === projectId) return ok(undefined);
    if (projectId !== null) {
      const target = projects.find((project) => project.id === projectId && project.org_id === orgId);
      if (target === undefined) return err({ kind: "no-such-project" });
      if (target.status === "handed_over") return err({ kind: "handed-over" });
    }
    await sql.query(`update stations set project_id = $2 where id = $1`, [unit.id, projectId]);
    // A commissioning belongs to a project; out of all projects the unit is operated, not commissioned.
    if (projectId === null) {
      // Told by the sweeper within seconds: nobody waits for it.
      await endCommissioning(sql, unit.id, "the charge point was moved out of its project");
      await sql.query(`delete from commissionings where station_id = $1 and status <> 'completed'`, [unit.id]);
    } else await sql.query(`update commissionings set project_id = $2 where station_id = $1`, [unit.id, projectId]);
    return ok(undefined);
  }).catch((fault: unknown): Result<undefined, MoveRefusal> => {
    if (isSerialNumberTaken(fault)) return err({ kind: "duplicate" });
    throw fault;
  });
}
