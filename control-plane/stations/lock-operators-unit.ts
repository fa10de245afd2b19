import type { Sql } from "../database.ts";

/** A unit of the organisation, its row locked. */
export interface OperatorsUnit {
  id: string;
  projectId: string | null;
  identity: string;
}

/**
 * Locks an organisation's unit that is in service, behind its project's row: the order in which everybody locks them.
 * Undefined: there is none, or another organisation's.
 */
export async function lockOperatorsUnit(
  sql: Sql,
  orgId: string,
  chargePointId: string,
): Promise<OperatorsUnit | undefined> {
  await sql.query(
    `select 1 from projects p where p.id = (select project_id from stations where charge_point_id = $1 and org_id = $2) for share of p`,
    [chargePointId, orgId],
  );
  const [row] = await sql.query<{ id: string; project_id: string | null; identity: string }>(
    `select id::text as id, project_id, identity from stations where charge_point_id = $1 and org_id = $2 and retired_at is null for update`,
    [chargePointId, orgId],
  );
  return row === undefined ? undefined : { id: row.id, projectId: row.project_id, identity: row.identity };
}
