import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Sql } from "../database.ts";
import { ProblemError } from "../http/problems.ts";

/** What a command needs to know of its station. */
export interface CommandableStation {
  /** stations.id; a string because it is a bigint. */
  id: string;
  chargePointId: string;
  identity: StationIdentity;
  orgId: string;
  /** The version of its newest connection; before the first, the one it was registered with. */
  version: OcppVersion;
}

const COLUMNS = `select s.id::text as id, s.charge_point_id as "chargePointId", s.identity, s.org_id as "orgId",
  coalesce(c.ocpp_version, s.ocpp_version) as version
  from stations s left join station_connections c on c.station_id = s.id`;

/** The organisation's station with this id; undefined also for those of others and retired ones. */
export async function findCommandableStation(
  sql: Sql,
  orgId: string,
  chargePointId: string,
): Promise<CommandableStation | undefined> {
  const [row] = await sql.query<CommandableStation>(
    `${COLUMNS} where s.charge_point_id = $1 and s.org_id = $2 and s.retired_at is null`,
    [chargePointId, orgId],
  );
  return row;
}

/** As `findCommandableStation`; throws charge_point_not_found. For routes. */
export async function commandableStation(sql: Sql, orgId: string, chargePointId: string): Promise<CommandableStation> {
  const station = await findCommandableStation(sql, orgId, chargePointId);
  if (station === undefined)
    throw new ProblemError("charge_point_not_found", `There is no charge point ${chargePointId}.`);
  return station;
}
