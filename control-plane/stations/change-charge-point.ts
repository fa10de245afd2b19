import { serialNumberOf } from "./serial-number.ts";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { LockMode, type SqlEntityManager, UniqueConstraintViolationException } from "@mikro-orm/postgresql";
import { sqlOf } from "../database.ts";
import { newProvisioningPassword, replacePassword } from "./provisioning-password.ts";
import { lockAssignedProject, type RegistrationDeps } from "./register-charge-point.ts";
import { requestRegistryWrite, writeRegistryNow } from "./station-registry.ts";
import { type Station, StationEntity } from "./station.entity.ts";

export interface ChargePointChange {
  serial_number?: string | undefined;
  model?: string | undefined;
  vendor?: string | undefined;
  ocpp_version?: OcppVersion | undefined;
  max_power_kw?: number | null | undefined;
  connector_count?: number | undefined;
  location?: { latitude: number; longitude: number; description?: string | undefined } | null | undefined;
}

export type Locked = { kind: "not-found" } | { kind: "handed-over" };

/** Changes a unit of the installer's project. A new OCPP version or serial number is told to the gateways. */
export async function changeChargePoint(
  deps: RegistrationDeps,
  installerId: string,
  chargePointId: string,
  change: ChargePointChange,
): Promise<Result<undefined, Locked | { kind: "duplicate" }>> {
  const changed = await deps.orm.em
    .fork()
    .transactional(async (em) => {
      const found = await lockOwnUnit(em, installerId, chargePointId);
      if (!found.ok) return found;
      const station = found.value;
      const newVersion = change.ocpp_version !== undefined && change.ocpp_version !== station.ocppVersion;
      const serialNumber =
        change.serial_number === undefined ? station.serialNumber : serialNumberOf(change.serial_number);
      // The gateways compare it with what a station says of itself, and with its certificate.
      const toldGateways =
        newVersion ||
        serialNumber !== station.serialNumber ||
        // Before its first boot quirk profiles go by these.
        (change.vendor ?? station.vendor) !== station.vendor ||
        (change.model ?? station.model) !== station.model;
      station.serialNumber = serialNumber;
      if (change.model !== undefined) station.model = change.model;
      if (change.vendor !== undefined) station.vendor = change.vendor;
      if (change.ocpp_version !== undefined) station.ocppVersion = change.ocpp_version;
      if (change.max_power_kw !== undefined) station.maxPowerKw = change.max_power_kw;
      if (change.connector_count !== undefined) station.connectorCount = change.connector_count;
      if (change.location !== undefined) {
        station.latitude = change.location?.latitude ?? null;
        station.longitude = change.location?.longitude ?? null;
        station.locationDescription = change.location?.description ?? null;
      }
      await em.flush();
      if (toldGateways) await requestRegistryWrite(sqlOf(em), station.id);
      return ok(toldGateways ? station.id : undefined);
    })
    .catch((fault: unknown) => {
      if (fault instanceof UniqueConstraintViolationException) return err({ kind: "duplicate" as const });
      throw fault;
    });
  if (!changed.ok) return changed;
  if (changed.value !== undefined) await writeRegistryNow(deps.registry, changed.value);
  return ok(undefined);
}

/**
 * Gives a unit of the installer's project a new password. The old one ends at once: whoever is connected with it is
 * disconnected, because a password is rotated when it was lost or seen by somebody.
 */
export async function rotatePassword(
  deps: RegistrationDeps,
  installerId: string,
  chargePointId: string,
): Promise<Result<{ password: string; rotatedAt: Date }, Locked>> {
  const password = newProvisioningPassword();
  const rotated = await deps.orm.em.fork().transactional(async (em) => {
    const found = await lockOwnUnit(em, installerId, chargePointId);
    if (!found.ok) return found;
    const sql = sqlOf(em);
    await replacePassword(sql, found.value.id, password, deps.peppers);
    await requestRegistryWrite(sql, found.value.id, "close-socket");
    return ok(found.value.id);
  });
  if (!rotated.ok) return rotated;
  await writeRegistryNow(deps.registry, rotated.value);
  return ok({ password, rotatedAt: new Date() });
}

/** The unit, its row locked. Its project is locked first, against a handover: the order in which everybody locks them. */
export async function lockOwnUnit(
  em: SqlEntityManager,
  installerId: string,
  chargePointId: string,
): Promise<Result<Station, Locked>> {
  const [seen] = await sqlOf(em).query<{ project_id: string | null }>(
    `select project_id from stations where charge_point_id = $1`,
    [chargePointId],
  );
  if (seen === undefined || seen.project_id === null) return err({ kind: "not-found" });
  const project = await lockAssignedProject(sqlOf(em), installerId, seen.project_id);
  if (project === undefined) return err({ kind: "not-found" });
  if (project.status === "handed_over") return err({ kind: "handed-over" });
  const own = { chargePointId, projectId: seen.project_id, retiredAt: null };
  const station = await em.findOne(StationEntity, own, { lockMode: LockMode.PESSIMISTIC_WRITE });
  return station === null ? err({ kind: "not-found" }) : ok(station as Station);
}
