import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";
import { newId } from "../ids.ts";

export interface TestProject {
  orgId: string;
  projectId: string;
  installerId: string;
}

/** An organisation with one project and its installer. */
export async function createProject(pool: pg.Pool): Promise<TestProject> {
  const ids = { orgId: newId("org"), projectId: newId("proj"), installerId: newId("ins") };
  await pool.query("insert into organizations (id, name) values ($1, 'Org')", [ids.orgId]);
  await pool.query(
    "insert into projects (id, org_id, name, site_address, charge_points_expected) values ($1, $2, 'Site', 'Street 1', 1)",
    [ids.projectId, ids.orgId],
  );
  await pool.query(
    `insert into installers (id, email, email_key, password_hash, full_name, phone, company, status)
     values ($1, $1 || '@example.org', $1 || '@example.org', 'x', 'Alex', '+447700900123', 'Acme', 'active')`,
    [ids.installerId],
  );
  await pool.query("insert into project_installers (project_id, installer_id) values ($1, $2)", [
    ids.projectId,
    ids.installerId,
  ]);
  return ids;
}

export interface TestStation {
  /** stations.id */
  id: string;
  chargePointId: string;
  identity: StationIdentity;
}

/** A station of the project, as its registration leaves it. */
export async function registerStation(pool: pg.Pool, project: TestProject, version: OcppVersion): Promise<TestStation> {
  const chargePointId = newId("cp");
  const { rows } = await pool.query<{ id: string }>(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, project_id, registered_by, serial_number, vendor, model, ocpp_version, connector_count)
     values ($1, $1, $1, $2, $3, $4, $1, 'Vendor', 'Model', $5, 2) returning id::text as id`,
    [chargePointId, project.orgId, project.projectId, project.installerId, version],
  );
  return { id: (rows[0] as { id: string }).id, chargePointId, identity: chargePointId as StationIdentity };
}
