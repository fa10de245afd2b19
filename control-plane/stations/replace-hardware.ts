import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { stationOwner } from "@dynamo-csms/proto/redis-keys";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Peppers } from "@dynamo-csms/proto/station-password";
import { endCertificatesOfUnit } from "../certificates/revoke-certificate.ts";
import { cancelWaitingCommands } from "../commands/cancel-command.ts";
import { endCommissioning } from "../commissioning/end-commissioning.ts";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { faultKindOf } from "../fault-kind.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { FAN_OUT_WORK } from "../webhooks/record-event.ts";
import { lockOperatorsUnit, type OperatorsUnit } from "./lock-operators-unit.ts";
import { newProvisioningPassword, replacePassword } from "./provisioning-password.ts";
import { isSerialNumberTaken, serialNumberOf } from "./serial-number.ts";
import { type RegistryDeps, requestRegistryWrite, writeRegistryNow } from "./station-registry.ts";

export interface ReplacementDeps {
  registry: RegistryDeps;
  redis: RedisConnection;
  peppers: Peppers;
  wakeUps: WakeUps;
}

/** The unit that stands in the bay from now on; what is not given stays. */
export interface NewHardware {
  serial_number: string;
  vendor?: string | undefined;
  model?: string | undefined;
  ocpp_version?: OcppVersion | undefined;
  connector_count?: number | undefined;
  max_power_kw?: number | undefined;
  /** Default: as before, but 2 in the place of 3: the new unit has a password and no certificate yet. */
  security_profile?: 1 | 2 | 3 | undefined;
  reason?: string | undefined;
}

export type ReplacementRefusal = { kind: "not-found" } | { kind: "duplicate" };

const MAX_RETRIES = 5;

/** Tables whose rows are what the removed unit said of itself, or what was set up in it. Sessions and logs stay. */
const FACTS_OF_HARDWARE = [
  "station_boots",
  "connector_status",
  "station_seen",
  "station_connections",
  "reservations",
  "charging_profiles",
  "charging_reports",
  "local_lists",
  "availability_requests",
  "station_variables",
  "station_items",
  "station_reports",
  "base_report_requests",
  "station_quirks",
  "installed_certificates",
  "installed_certificate_reports",
];

/**
 * Puts another unit in the place of a broken one: same charge_point_id, same identity, same bay, same history of sessions;
 * a new password, a registration and a commissioning from the beginning. Whoever is connected is disconnected, and what the
 * removed unit's connections still have on their way changes no fact.
 */
export async function replaceHardware(
  deps: ReplacementDeps,
  orgId: string,
  chargePointId: string,
  hardware: NewHardware,
): Promise<Result<{ password: string; replacedAt: Date }, ReplacementRefusal>> {
  const password = newProvisioningPassword();
  const { pool } = deps.registry;
  const identity = await identityOf(sqlOn(pool), orgId, chargePointId);
  if (identity === undefined) return err({ kind: "not-found" });
  const epoch = await lastEpoch(deps.redis, identity);
  const replaced = await patiently(pool, async (sql) => {
    const unit = await lockOperatorsUnit(sql, orgId, chargePointId);
    if (unit === undefined) return undefined;
    await keepOldHardware(sql, unit, hardware.reason);
    await describeNewHardware(sql, unit.id, hardware);
    const eventIds = await endCommissioning(sql, unit.id, "the hardware was replaced");
    await sql.query(`delete from commissionings where station_id = $1`, [unit.id]);
    await forgetFacts(sql, unit.id, epoch);
    await cancelWaitingCommands(sql, unit.id, "the hardware was replaced");
    await endCertificatesOfUnit(sql, unit.id, "the hardware was replaced");
    await replacePassword(sql, unit.id, password, deps.peppers);
    await requestRegistryWrite(sql, unit.id, "close-socket");
    return { id: unit.id, eventIds };
  }).catch((fault: unknown) => {
    if (isSerialNumberTaken(fault)) return "duplicate" as const;
    throw fault;
  });
  if (replaced === undefined) return err({ kind: "not-found" });
  if (replaced === "duplicate") return err({ kind: "duplicate" });
  // From this write on the removed unit is let in no more: an epoch that it took meanwhile is its last.
  if (await writeRegistryNow(deps.registry, replaced.id)) {
    const last = await lastEpoch(deps.redis, identity);
    if (last > epoch) await patiently(pool, (sql) => forgetFacts(sql, replaced.id, last));
  }
  for (const eventId of replaced.eventIds) deps.wakeUps.wake(FAN_OUT_WORK, eventId);
  return ok({ password, replacedAt: new Date() });
}

/** The intake may be writing what we delete, in another order: whoever is broken off for the other's sake tries again. */
async function patiently<T>(pool: ReplacementDeps["registry"]["pool"], work: (sql: Sql) => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await inTransaction(pool, work);
    } catch (fault) {
      if (faultKindOf(fault) !== "retry" || retries >= MAX_RETRIES) throw fault;
    }
  }
}

async function identityOf(sql: Sql, orgId: string, chargePointId: string): Promise<StationIdentity | undefined> {
  const [row] = await sql.query<{ identity: StationIdentity }>(
    `select identity from stations where charge_point_id = $1 and org_id = $2 and retired_at is null`,
    [chargePointId, orgId],
  );
  return row?.identity;
}

/** The epoch of the newest connection; 0 when there was none or Redis is away. Then the registry tells the gateways later. */
async function lastEpoch(redis: RedisConnection, identity: StationIdentity): Promise<number> {
  const epoch = await redis.hget(stationOwner(identity), "epoch").catch(() => null);
  return Number(epoch ?? 0);
}

async function keepOldHardware(sql: Sql, unit: OperatorsUnit, reason: string | undefined): Promise<void> {
  await sql.query(
    `insert into station_hardware (station_id, serial_number, vendor, model, ocpp_version, firmware_version, reason)
     select s.id, s.serial_number, s.vendor, s.model, s.ocpp_version, b.firmware_version, $2
     from stations s left join station_boots b on b.station_id = s.id where s.id = $1`,
    [unit.id, reason ?? null],
  );
}

async function describeNewHardware(sql: Sql, stationId: string, hardware: NewHardware): Promise<void> {
  await sql.query(
    `update stations set serial_number = $2, vendor = coalesce($3, vendor), model = coalesce($4, model), ocpp_version = coalesce($5, ocpp_version),
       connector_count = coalesce($6, connector_count), max_power_kw = coalesce($7, max_power_kw), registration = 'unknown',
       security_profile = coalesce($8, least(security_profile, 2)) where id = $1`,
    [
      stationId,
      serialNumberOf(hardware.serial_number),
      hardware.vendor ?? null,
      hardware.model ?? null,
      hardware.ocpp_version ?? null,
      hardware.connector_count ?? null,
      hardware.max_power_kw ?? null,
      hardware.security_profile ?? null,
    ],
  );
}

async function forgetFacts(sql: Sql, stationId: string, epoch: number): Promise<void> {
  await sql.query(
    `update stations s set hardware_epoch = greatest(s.hardware_epoch, $2, (select k.epoch from station_connections k where k.station_id = s.id)) where s.id = $1`,
    [stationId, epoch],
  );
  for (const table of FACTS_OF_HARDWARE) await sql.query(`delete from ${table} where station_id = $1`, [stationId]);
}
