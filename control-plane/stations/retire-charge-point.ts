import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { LockMode, type SqlEntityManager } from "@mikro-orm/postgresql";
import { cancelWaitingCommands } from "../commands/cancel-command.ts";
import { endCommissioning } from "../commissioning/end-commissioning.ts";
import { sqlOf } from "../database.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { FAN_OUT_WORK } from "../webhooks/record-event.ts";
import { lockOwnUnit, type Locked } from "./change-charge-point.ts";
import type { RegistrationDeps } from "./register-charge-point.ts";
import { requestRegistryWrite, writeRegistryNow } from "./station-registry.ts";
import { type Station, StationEntity } from "./station.entity.ts";

export interface RetirementDeps extends RegistrationDeps {
  wakeUps: WakeUps;
}

/**
 * Takes a unit away for good: it is shown and counted nowhere, the gateways refuse it, and its serial number may be
 * registered again. What it sent stays on record. An installer may do so until the handover, an operator at any time.
 *
 * Its socket is closed at once, or by the registry relay as soon as its gateway can be told.
 */
export async function retireChargePoint(
  deps: RetirementDeps,
  by: { installerId: string } | { orgId: string },
  chargePointId: string,
): Promise<Result<void, Locked>> {
  const retired = await deps.orm.em.fork().transactional(async (em) => {
    const found =
      "installerId" in by
        ? await lockOwnUnit(em, by.installerId, chargePointId)
        : await lockOrganizationsUnit(em, by.orgId, chargePointId);
    if (!found.ok) return found;
    const station = found.value;
    station.retiredAt = new Date();
    await em.flush();
    const sql = sqlOf(em);
    const eventIds = await endCommissioning(sql, station.id, "the charge point was taken out of the project");
    await cancelWaitingCommands(sql, station.id, "the charge point was taken out of the project");
    await requestRegistryWrite(sql, station.id, "close-socket");
    return ok({ id: station.id, eventIds });
  });
  if (!retired.ok) return retired;
  const { id, eventIds } = retired.value;
  await writeRegistryNow(deps.registry, id);
  for (const eventId of eventIds) deps.wakeUps.wake(FAN_OUT_WORK, eventId);
  return ok(undefined);
}

/** The organisation's unit, its row locked, behind its project's as everywhere. */
async function lockOrganizationsUnit(
  em: SqlEntityManager,
  orgId: string,
  chargePointId: string,
): Promise<Result<Station, Locked>> {
  await sqlOf(em).query(
    `select 1 from projects p where p.id = (select project_id from stations where charge_point_id = $1 and org_id = $2) for share of p`,
    [chargePointId, orgId],
  );
  const own = { chargePointId, orgId, retiredAt: null };
  const station = await em.findOne(StationEntity, own, { lockMode: LockMode.PESSIMISTIC_WRITE });
  return station === null ? err({ kind: "not-found" }) : ok(station as Station);
}
