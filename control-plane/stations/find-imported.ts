import { timingSafeEqual } from "node:crypto";
import { digestPassword } from "@dynamo-csms/proto/station-password";
import type { Sql } from "../database.ts";
import type { Imported, ImportedChargePoint, ImportTarget } from "./import-charge-points.ts";

interface Registered {
  place: string;
  charge_point_id: string;
  digest: Buffer | null;
  pepper_id: string | null;
  encoding: string | null;
}

/**
 * Those of a batch that are registered already exactly as the file says: by the same organisation, in the same project, under
 * the same identity as it is spelled, with the same password. An import that was broken off has registered them.
 */
export async function findImported(
  sql: Sql,
  batch: readonly ImportedChargePoint[],
  { orgId, projectId, peppers }: ImportTarget,
): Promise<Imported[]> {
  const rows = await sql.query<Registered>(
    `select n.place, s.charge_point_id, v.digest, v.pepper_id, v.encoding
     from unnest($1::text[], $2::text[], $3::text[]) with ordinality as n (identity, spelling, serial_number, place)
     join stations s on s.identity = n.identity and s.identity_spelling = n.spelling and s.serial_number = n.serial_number
       and s.org_id = $4 and s.project_id is not distinct from $5 and s.retired_at is null
     left join station_verifiers v on v.station_id = s.id and v.slot = 'current'
     order by n.place`,
    [
      batch.map((unit) => unit.identity),
      batch.map((unit) => unit.identitySpelling),
      batch.map((unit) => unit.serialNumber),
      orgId,
      projectId,
    ],
  );
  return rows.flatMap((row) => {
    const unit = batch[Number(row.place) - 1] as ImportedChargePoint;
    return hasPassword(row, unit, peppers)
      ? [{ line: unit.line, identity: unit.identitySpelling, chargePointId: row.charge_point_id }]
      : [];
  });
}

function hasPassword(
  { digest, pepper_id, encoding }: Registered,
  unit: ImportedChargePoint,
  peppers: ImportTarget["peppers"],
): boolean {
  if (unit.password === undefined || digest === null) return unit.password === undefined && digest === null;
  const pepper = peppers.get(pepper_id ?? "");
  return (
    pepper !== undefined && encoding === unit.encoding && timingSafeEqual(digestPassword(unit.password, pepper), digest)
  );
}
