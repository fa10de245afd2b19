import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { CommandableStation } from "../commands/find-commandable-station.ts";
import { inTransaction } from "../database.ts";
import { writeRegistryNow } from "../stations/station-registry.ts";
import { MIN_PASSWORD_LENGTH, passwordIn, setsPasswordTwice } from "./new-password.ts";
import { lockOpenChange, openPasswordChange } from "./password-change.ts";
import type { CredentialDeps } from "./rotate-credentials.ts";
import { abandonPasswordChange } from "./send-password-change.ts";

/** `preparePasswordCommand` with its dependencies. */
export type PasswordPreparation = (
  command: Parameters<typeof preparePasswordCommand>[1],
) => ReturnType<typeof preparePasswordCommand>;

export type PreparationRefusal =
  | { kind: "under-way" }
  | { kind: "too-short"; minLength: number }
  | { kind: "twice" }
  /** The gateways cannot be told of the new password now. */
  | { kind: "registry-away" };

/**
 * To be called before a command that an operator wrote is sent. One that gives the station another password
 * (ChangeConfiguration AuthorizationKey, SetVariables BasicAuthPassword) is sent only when the gateways accept that
 * password too: else it would lock the station out. @returns what takes that back, for when the command is not written after all; undefined for any other command.
 */
export async function preparePasswordCommand(
  deps: CredentialDeps,
  command: {
    commandId: string;
    station: CommandableStation;
    action: string;
    payload: unknown;
    requestedBy: string;
    /** Awaited before anything is changed. */
    recorded?: () => Promise<void>;
  },
): Promise<Result<(() => Promise<void>) | undefined, PreparationRefusal>> {
  const { commandId, station, requestedBy } = command;
  // Whoever sends it refuses what is no valid CALL.
  if (!isCsmsAction(station.version, command.action)) return ok(undefined);
  if (validatePayload(station.version, command.action, "request", command.payload) !== undefined) return ok(undefined);
  const password = passwordIn(command.action, command.payload);
  if (password === undefined) return ok(undefined);
  if (setsPasswordTwice(command.action, command.payload)) return err({ kind: "twice" });
  if (password.length < MIN_PASSWORD_LENGTH) return err({ kind: "too-short", minLength: MIN_PASSWORD_LENGTH });
  await command.recorded?.();
  const { pool } = deps.registry;
  const { id: stationId, orgId, version } = station;
  const changeId = await inTransaction(pool, async (sql) =>
    (await lockOpenChange(sql, { stationId })) === undefined
      ? openPasswordChange(sql, { stationId, orgId, version, password, requestedBy, commandId }, deps)
      : undefined,
  );
  if (changeId === undefined) return err({ kind: "under-way" });
  const abandon = () => abandonPasswordChange(pool, changeId);
  if (await writeRegistryNow(deps.registry, stationId)) return ok(abandon);
  await abandon();
  return err({ kind: "registry-away" });
}
