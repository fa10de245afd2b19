import { serialNumberOf } from "./serial-number.ts";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { Peppers } from "@dynamo-csms/proto/station-password";
import type { MikroORM, SqlEntityManager } from "@mikro-orm/postgresql";
import { type Sql, sqlOf } from "../database.ts";
import { newId } from "../ids.ts";
import { newProvisioningPassword, replacePassword } from "./provisioning-password.ts";
import { type RegistryDeps, requestRegistryWrite, writeRegistryNow } from "./station-registry.ts";

export interface RegistrationDeps {
  orm: MikroORM;
  peppers: Peppers;
  registry: RegistryDeps;
}

export interface NewChargePoint {
  project_id: string;
  serial_number: string;
  model: string;
  vendor: string;
  ocpp_version: OcppVersion;
  max_power_kw?: number | undefined;
  connector_count: number;
  location?: { latitude: number; longitude: number; description?: string | undefined } | undefined;
}

export interface Registered {
  chargePointId: string;
  /** Given out now and never again. */
  password: string;
  createdAt: Date;
}

export type RegistrationRefusal =
  | { kind: "not-assigned" }
  | { kind: "handed-over" }
  | { kind: "duplicate"; chargePointId: string };

/**
 * Registers a unit in the installer's project. One unit per serial number and project: the second registration is told
 * which unit it is. When this resolves the station may connect, or (Redis away) as soon as the registry relay catches up.
 */
export async function registerChargePoint(
  deps: RegistrationDeps,
  installerId: string,
  unit: NewChargePoint,
): Promise<Result<Registered, RegistrationRefusal>> {
  const made = await deps.orm.em.fork().transactional((em) => insertUnit(em, deps.peppers, installerId, unit));
  if (!made.ok) return made;
  await writeRegistryNow(deps.registry, made.value.stationId);
  return made;
}

async function insertUnit(
  em: SqlEntityManager,
  peppers: Peppers,
  installerId: string,
  unit: NewChargePoint,
): Promise<Result<Registered & { stationId: string }, RegistrationRefusal>> {
  const sql = sqlOf(em);
  const project = await lockAssignedProject(sql, installerId, unit.project_id);
  if (project === undefined) return err({ kind: "not-assigned" });
  if (project.status === "handed_over") return err({ kind: "handed-over" });

  const chargePointId = newId("cp");
  const serialNumber = serialNumberOf(unit.serial_number);
  const [row] = await sql.query<{ id: string; created_at: Date }>(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, project_id, registered_by, serial_number, vendor, model,
                           ocpp_version, max_power_kw, connector_count, latitude, longitude, location_description)
     values ($1, $1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     on conflict (project_id, serial_number) where retired_at is null do nothing returning id::text as id, created_at`,
    [
      chargePointId,
      project.org_id,
      unit.project_id,
      installerId,
      serialNumber,
      unit.vendor,
      unit.model,
      unit.ocpp_version,
      unit.max_power_kw ?? null,
      unit.connector_count,
      unit.location?.latitude ?? null,
      unit.location?.longitude ?? null,
      unit.location?.description ?? null,
    ],
  );
  if (row === undefined) {
    const [existing] = await sql.query<{ charge_point_id: string }>(
      `select charge_point_id from stations where project_id = $1 and serial_number = $2 and retired_at is null`,
      [unit.project_id, serialNumber],
    );
    // Retired between the two statements.
    if (existing === undefined) return insertUnit(em, peppers, installerId, unit);
    return err({ kind: "duplicate", chargePointId: existing.charge_point_id });
  }
  const password = newProvisioningPassword();
  await replacePassword(sql, row.id, password, peppers);
  await requestRegistryWrite(sql, row.id);
  return ok({ stationId: row.id, chargePointId, password, createdAt: row.created_at });
}

/**
 * The project if the installer is assigned to it, locked against a handover until the transaction ends: what is changed in
 * a project either comes before its handover or is refused after it.
 */
export async function lockAssignedProject(
  sql: Sql,
  installerId: string,
  projectId: string,
): Promise<{ org_id: string; status: "in_progress" | "handed_over" } | undefined> {
  const [project] = await sql.query<{ org_id: string; status: "in_progress" | "handed_over" }>(
    `select p.org_id, p.status from projects p
     where p.id = $1 and exists (select 1 from project_installers a where a.project_id = p.id and a.installer_id = $2) for share of p`,
    [projectId, installerId],
  );
  return project;
}
