import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Sql } from "../database.ts";

export interface InstallerStation {
  /** stations.id */
  id: string;
  identity: StationIdentity;
  projectId: string;
}

/** The station, if it belongs to a project that this installer is assigned to; nothing else is there for them. */
export async function findInstallerStation(
  sql: Sql,
  installerId: string,
  chargePointId: string,
): Promise<InstallerStation | undefined> {
  const [row] = await sql.query<InstallerStation>(
    `select s.id::text as id, s.identity, s.project_id as "projectId"
     from stations s join project_installers a on a.project_id = s.project_id
     where s.charge_point_id = $1 and a.installer_id = $2 and s.retired_at is null`,
    [chargePointId, installerId],
  );
  return row;
}
