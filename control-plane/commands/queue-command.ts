import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { sealedPayloadContext } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { seal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { maskSecrets, secretPathsOf } from "./secret-fields.ts";

/** A command that waits for its station: sent when it is connected, after `notBefore`. */
export interface CommandToQueue {
  stationId: string;
  orgId: string;
  version: OcppVersion;
  action: string;
  payload: object;
  /** Who asked: an API key's id, or "system:" and what for. */
  requestedBy: string;
  /** Default: at once. */
  notBefore?: Date;
  /** How long it may wait, from now on; then it ends as not_connected. Default: a day. */
  validForMs?: number;
  /** While a command of the station with this key is not final, no second one is queued. */
  dedupeKey?: string;
  commandId?: string;
}

const DAY_MS = 86_400_000;

/**
 * Writes a command that the jobs process sends when the station is connected (deliver-queued.ts), in the caller's
 * transaction: it goes out exactly when what asks for it is committed.
 * @param secretsKey needed where the payload may hold secrets (a password, an upload address with one).
 * @returns the command's id; undefined when one with this dedupeKey waits already.
 * @throws when the payload breaks its schema, or holds a secret and there is no key to seal it: a fault of the caller.
 */
export async function queueCommand(
  sql: Sql,
  command: CommandToQueue,
  secretsKey?: SecretsKey,
): Promise<string | undefined> {
  const { version, action, payload } = command;
  const mistake = isCsmsAction(version, action)
    ? validatePayload(version, action, "request", payload)
    : { description: `we do not send ${action} in OCPP ${version}` };
  if (mistake !== undefined) throw new Error(`${action} cannot be queued: ${mistake.description}`);
  const commandId = command.commandId ?? newId("cmd");
  const secretPaths = secretPathsOf(action, payload);
  if (secretPaths.length > 0 && secretsKey === undefined)
    throw new Error(`${action} holds a secret: no key to seal it`);
  const sealedPayload =
    secretsKey === undefined || secretPaths.length === 0
      ? null
      : seal(secretsKey, sealedPayloadContext(commandId), JSON.stringify(payload));
  const rows = await sql.query(
    `with clock as materialized (select clock_timestamp() as at)
     insert into commands (id, org_id, station_id, ocpp_version, action, payload, sealed_payload, requested_by, deliver, not_before, dedupe_key,
       deadline_at, valid_until, wake_at, created_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, 'when_connected', $9, $10, at + $11 * interval '1 millisecond', at + $11 * interval '1 millisecond',
       coalesce($9, at + interval '1 second'), at
     from clock
     on conflict (station_id, dedupe_key) where final_at is null and dedupe_key is not null do nothing returning id`,
    [
      commandId,
      command.orgId,
      command.stationId,
      version,
      action,
      JSON.stringify(sealedPayload === null ? payload : maskSecrets(payload, secretPaths)),
      sealedPayload,
      command.requestedBy,
      command.notBefore?.toISOString() ?? null,
      command.dedupeKey ?? null,
      command.validForMs ?? DAY_MS,
    ],
  );
  return rows.length === 0 ? undefined : commandId;
}
