import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { Peppers } from "@dynamo-csms/proto/station-password";
import { type CommandableStation, findCommandableStation } from "../commands/find-commandable-station.ts";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { type RegistryDeps, writeRegistryNow } from "../stations/station-registry.ts";
import { newStationPassword } from "./new-password.ts";
import { lockOpenChange, openPasswordChange } from "./password-change.ts";
import { sendPasswordChange } from "./send-password-change.ts";

export interface CredentialDeps {
  registry: RegistryDeps;
  secretsKey: SecretsKey;
  peppers: Peppers;
}

export type RotationRefusal = { kind: "not-found" } | { kind: "under-way"; changeId: string };

/**
 * Gives the organisation's station a new random password over OCPP (J16 §6.2.2; 2.x A01), which nobody gets to see. Nothing
 * is sent before the gateways accept both; the station may be away. While nobody knows whether it has the password of an
 * earlier attempt, that one is sent again: there are never more than two to tell apart.
 * @returns the change's id.
 */
export async function rotateCredentials(
  deps: CredentialDeps,
  by: { orgId: string; chargePointId: string; requestedBy: string },
): Promise<Result<string, RotationRefusal>> {
  const { pool } = deps.registry;
  const station = await findCommandableStation(sqlOn(pool), by.orgId, by.chargePointId);
  if (station === undefined) return err({ kind: "not-found" });
  const begun = await inTransaction(pool, (sql) => begin(sql, deps, station, by.requestedBy));
  if (!begun.ok) return begun;
  await writeRegistryNow(deps.registry, station.id);
  await sendPasswordChange({ pool, secretsKey: deps.secretsKey }, begun.value);
  return begun;
}

async function begin(
  sql: Sql,
  deps: CredentialDeps,
  station: CommandableStation,
  requestedBy: string,
): Promise<Result<string, RotationRefusal>> {
  const { id: stationId, orgId, version } = station;
  const open = await lockOpenChange(sql, { stationId });
  if (open === undefined) {
    const change = { stationId, orgId, version, password: newStationPassword(version), requestedBy };
    const id = await openPasswordChange(sql, change, deps);
    // Opened by another request between the two statements.
    return id === undefined ? err({ kind: "under-way", changeId: "" }) : ok(id);
  }
  if (open.state !== "unconfirmed") return err({ kind: "under-way", changeId: open.id });
  await sql.query(
    `update password_changes set next_step_at = now(), attempts = 0, repeats = true, ocpp_version = $2 where id = $1`,
    [open.id, version],
  );
  return ok(open.id);
}
