import type { Sql } from "../database.ts";

/** What the data plane needs to know of a station to file something under it. */
export interface KnownStation {
  /** `stations.id`, a bigint: the key of the large tables. */
  id: string;
  /** `cp_…`, the id of the REST API. */
  chargePointId: string;
  orgId: string;
  projectId: string | null;
  /** What connections up to this epoch reported is of hardware that was replaced. */
  hardwareEpoch?: number;
}

/** The stations behind these case-folded identities, by identity; unknown ones are left out. */
export async function findStations(sql: Sql, identities: readonly string[]): Promise<Map<string, KnownStation>> {
  const rows = await sql.query<{
    identity: string;
    id: string;
    charge_point_id: string;
    org_id: string;
    project_id: string | null;
    hardware_epoch: string;
  }>(
    `select identity, id::text as id, charge_point_id, org_id, project_id, hardware_epoch::text as hardware_epoch from stations where identity = any($1::text[])`,
    [identities],
  );
  return new Map(
    rows.map((row) => [
      row.identity,
      {
        id: row.id,
        chargePointId: row.charge_point_id,
        orgId: row.org_id,
        projectId: row.project_id,
        hardwareEpoch: Number(row.hardware_epoch),
      },
    ]),
  );
}
