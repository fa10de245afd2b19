import type { Sql } from "../database.ts";
import { isoSeconds } from "../http/iso-time.ts";

export interface ProjectRow {
  id: string;
  name: string;
  site_address: string;
  charge_points_expected: number;
  registered: number;
  commissioned: number;
  site_owner_name: string | null;
  site_owner_email: string | null;
  status: "in_progress" | "handed_over";
  handed_over_at: Date | null;
  created_at: Date;
  created_at_text: string;
}

/** Columns of a ProjectRow; `p` is the project. Retired units count no more. */
export const PROJECT_COLUMNS = `
  p.id, p.name, p.site_address, p.charge_points_expected, p.site_owner_name, p.site_owner_email, p.status, p.handed_over_at, p.created_at,
  to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as created_at_text,
  (select count(*)::int from stations s where s.project_id = p.id and s.retired_at is null) as registered,
  (select count(*)::int from stations s join commissionings c on c.station_id = s.id and c.status = 'completed'
   where s.project_id = p.id and s.retired_at is null) as commissioned`;

/** A project as its operator sees it. */
export function operatorsView(row: ProjectRow) {
  const hasOwner = row.site_owner_name !== null || row.site_owner_email !== null;
  return {
    project_id: row.id,
    name: row.name,
    site_address: row.site_address,
    charge_points_expected: row.charge_points_expected,
    charge_points_registered: row.registered,
    charge_points_commissioned: row.commissioned,
    status: row.status,
    site_owner: hasOwner ? { name: row.site_owner_name, email: row.site_owner_email } : null,
    handed_over_at: row.handed_over_at === null ? null : isoSeconds(row.handed_over_at),
    created_at: isoSeconds(row.created_at),
  };
}

/** The organisation's project, or undefined: somebody else's is not found either. */
export async function findOrgProject(sql: Sql, orgId: string, projectId: string): Promise<ProjectRow | undefined> {
  const [row] = await sql.query<ProjectRow>(
    `select ${PROJECT_COLUMNS} from projects p where p.id = $1 and p.org_id = $2`,
    [projectId, orgId],
  );
  return row;
}
