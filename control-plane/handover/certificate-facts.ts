import type { Sql } from "../database.ts";

/** What a certificate says of one commissioning check. */
export interface CheckFact {
  name: string;
  status: string;
  value: string | null;
  /** What was found, or why it was skipped or failed. */
  detail: string | null;
}

export interface UnitFact {
  chargePointId: string;
  serialNumber: string;
  vendor: string;
  model: string;
  ocppVersion: string;
  maxPowerKw: string | null;
  connectorCount: number;
  locationDescription: string | null;
  latitude: number | null;
  longitude: number | null;
  firmwareVersion: string | null;
  /** Null: commissioning was never started. */
  commissioningStatus: string | null;
  completedAt: Date | null;
  notes: string | null;
  checks: CheckFact[];
}

export interface ProjectFacts {
  projectId: string;
  orgId: string;
  organizationName: string;
  organizationEmail: string | null;
  name: string;
  siteAddress: string;
  siteOwnerName: string | null;
  siteOwnerEmail: string | null;
  chargePointsExpected: number;
  status: "in_progress" | "handed_over";
  installerId: string;
  installerName: string;
  installerCompany: string;
}

/** In the order of the API. */
const CHECK_ORDER = `array['ocpp_connection', 'heartbeat', 'meter_calibration', 'firmware_version']`;

/**
 * The project of this installer, its row locked until the transaction ends: nothing is registered, started or handed over
 * meanwhile. Undefined when there is none or the installer is not assigned to it.
 */
export async function lockProjectOf(
  sql: Sql,
  projectId: string,
  installerId: string,
): Promise<ProjectFacts | undefined> {
  const [project] = await sql.query<ProjectFacts>(
    `select project.id as "projectId", project.org_id as "orgId", organization.name as "organizationName", organization.contact_email as "organizationEmail",
       project.name, project.site_address as "siteAddress", project.site_owner_name as "siteOwnerName", project.site_owner_email as "siteOwnerEmail",
       project.charge_points_expected as "chargePointsExpected", project.status,
       installer.id as "installerId", installer.full_name as "installerName", installer.company as "installerCompany"
     from projects project
     join organizations organization on organization.id = project.org_id
     join project_installers assigned on assigned.project_id = project.id and assigned.installer_id = $2
     join installers installer on installer.id = assigned.installer_id
     where project.id = $1 for update of project`,
    [projectId, installerId],
  );
  return project;
}

/** Every charge point of the project with its commissioning, whose row stays as it is until the transaction ends. Oldest registration first. */
export async function lockUnitsOf(sql: Sql, projectId: string): Promise<UnitFact[]> {
  await sql.query("select 1 from commissionings where project_id = $1 order by id for share", [projectId]);
  return sql.query<UnitFact>(
    `select station.charge_point_id as "chargePointId", station.serial_number as "serialNumber", station.vendor, station.model,
       station.ocpp_version as "ocppVersion", station.max_power_kw::text as "maxPowerKw", station.connector_count as "connectorCount",
       station.location_description as "locationDescription", station.latitude, station.longitude,
       boot.firmware_version as "firmwareVersion", commissioning.status as "commissioningStatus", commissioning.completed_at as "completedAt",
       commissioning.notes,
       coalesce((
         select json_agg(json_build_object('name', c.name, 'status', c.status, 'value', c.value, 'detail', c.cause)
                         order by array_position(${CHECK_ORDER}, c.name))
         from commissioning_checks c where c.commissioning_id = commissioning.id
       ), '[]'::json) as checks
     from stations station
     left join commissionings commissioning on commissioning.station_id = station.id
     left join station_boots boot on boot.station_id = station.id
     where station.project_id = $1 and station.retired_at is null
     order by station.created_at, station.id`,
    [projectId],
  );
}
