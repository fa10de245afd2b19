import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { EndedCommand, OutcomeEffect } from "../commands/outcome-effects.ts";
import type { Sql } from "../database.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { passwordCall, setsPassword } from "./new-password.ts";
import { closeChange, dropPending, lockOpenChange, type PasswordChange, promotePending } from "./password-change.ts";

/**
 * What the station did with its new password. `taken`: it said so; the old one is refused from now on (J16 §6.2.2, security
 * whitepaper A01.FR.03). `refused`: it said no; the old one goes on. `never`: it was not asked. `later`: it takes
 * it at its next start. `perhaps`: nobody knows.
 */
export type PasswordFate = "taken" | "refused" | "never" | "later" | "perhaps";

/** Reads it from the command's end. An answer that breaks its schema, or an error of the station's, tells nothing for sure. */
export function passwordFate(command: Pick<EndedCommand, "action" | "state" | "response">): PasswordFate {
  if (command.state === "not_connected") return "never";
  if (command.state !== "accepted" && command.state !== "rejected") return "perhaps";
  const status = command.action === "SetVariables" ? statusOfVariable(command.response) : statusIn(command.response);
  if (status === "Accepted") return "taken";
  if (status === "RebootRequired") return "later";
  return status === undefined ? "perhaps" : "refused";
}

const statusIn = (response: unknown) => (response as { status?: string } | undefined)?.status;

function statusOfVariable(response: unknown): string | undefined {
  const { setVariableResult = [] } = (response ?? {}) as { setVariableResult?: VariableResult[] };
  return setVariableResult.findLast(setsPassword)?.attributeStatus;
}

interface VariableResult {
  attributeStatus: string;
  component: { name: string };
  variable: { name: string };
}

/** How often we send the same password while nobody knows whether the station has it, and how long after the attempt. */
const ATTEMPTS = 5;
const FIRST_PAUSE_SECONDS = 60;

/**
 * The end of a ChangeConfiguration or SetVariables that was to change the station's password. Until somebody
 * knows, both passwords are accepted; a station that may have taken the new one never loses it again.
 */
export const endPasswordChange: OutcomeEffect = (sql, command) => endChange(sql, command);

/**
 * The same for a command whose row Postgres lost, of a change that it still has: else the change would be taken back as one
 * that was never sent, and a station that has taken the password would be locked out.
 */
export async function endChangeOfLostCommand(sql: Sql, commandId: string, outcome: CommandOutcome): Promise<void> {
  const [change] = await sql.query<{ ocpp_version: OcppVersion }>(
    `select c.ocpp_version from password_changes c
     where c.command_id = $1 and c.closed_at is null and not exists (select 1 from commands k where k.id = c.command_id)`,
    [commandId],
  );
  if (change === undefined) return;
  const { action } = passwordCall(change.ocpp_version, "");
  const { state } = outcome;
  const response: unknown =
    state === "error" || outcome.response === undefined ? undefined : JSON.parse(outcome.response);
  await endChange(sql, { commandId, action, state, response });
}

async function endChange(
  sql: Sql,
  command: Pick<EndedCommand, "commandId" | "action" | "state" | "response">,
): Promise<void> {
  const change = await lockOpenChange(sql, { commandId: command.commandId });
  // The password is in the station or nowhere: its sealed copy is of no more use, also where a login or an installer ended
  // the change before.
  await forgetSealedPayload(sql, command.commandId);
  if (change?.state !== "queued") return;
  const fate = passwordFate(command);
  if (fate === "taken") await promotePending(sql, change.stationId);
  else if (fate === "perhaps" || fate === "later" || change.perhapsSet) return wait(sql, change, fate);
  else await dropPending(sql, change.stationId);
  await closeChange(sql, change, fate === "taken" ? "accepted" : fate === "never" ? "not_sent" : "rejected");
  await requestRegistryWrite(sql, change.stationId);
}

async function wait(sql: Sql, change: PasswordChange, fate: PasswordFate): Promise<void> {
  // What the station answered it will answer again, and one that was not there for a day is for the operator to look at.
  const again = change.repeats && fate === "perhaps" && change.attempts < ATTEMPTS;
  await sql.query(
    `update password_changes set state = 'unconfirmed', perhaps_set = true,
       next_step_at = case when $2 then now() + $3 * interval '1 second' end where id = $1`,
    [change.id, again, FIRST_PAUSE_SECONDS * 4 ** Math.max(change.attempts - 1, 0)],
  );
}

const forgetSealedPayload = (sql: Sql, commandId: string) =>
  sql.query("update commands set sealed_payload = null where id = $1 and sealed_payload is not null", [commandId]);

/** Of commands that change the password by which a station logs in. */
export const PASSWORD_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["ChangeConfiguration", endPasswordChange],
  ["SetVariables", endPasswordChange],
];
