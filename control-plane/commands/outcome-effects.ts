import type { CommandState } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { CERTIFICATE_OUTCOMES } from "../certificates/certificate-outcomes.ts";
import { PASSWORD_OUTCOMES } from "../credentials/password-outcome.ts";
import { DATA_TRANSFER_OUTCOMES } from "../data-transfer/record-data-transfers.ts";
import { AVAILABILITY_OUTCOMES } from "../availability/availability-outcome.ts";
import { CHARGING_PROFILE_OUTCOMES } from "../charging-profiles/profile-outcomes.ts";
import type { Sql } from "../database.ts";
import { TRANSFER_OUTCOMES } from "../firmware/transfer-outcomes.ts";
import { LOCAL_LIST_OUTCOMES } from "../local-lists/local-list-outcomes.ts";
import { RESERVATION_OUTCOMES } from "../reservations/record-reservations.ts";
import { DER_CONTROL_OUTCOMES } from "../der-control/der-control-outcomes.ts";
import { VARIABLE_OUTCOMES } from "../device-model/variable-outcomes.ts";
import { DISPLAY_MESSAGE_OUTCOMES } from "../display-messages/display-message-items.ts";
import { EVENT_STREAM_OUTCOMES } from "../event-streams/event-stream-items.ts";
import { MONITOR_OUTCOMES } from "../monitoring/monitor-outcomes.ts";
import { TARIFF_OUTCOMES } from "../tariffs/tariff-outcomes.ts";
import { TRANSACTION_OUTCOMES } from "../transactions/transaction-status-outcome.ts";
import type { FactOrder } from "../stations/fact-order.ts";

/** A command that has just got its final state. */
export interface EndedCommand {
  commandId: string;
  stationId: string;
  orgId: string;
  version: OcppVersion;
  action: string;
  /** As stored: secrets masked. */
  payload: unknown;
  requestedBy: string;
  state: CommandState;
  deliver: "now" | "when_connected";
  /** From its acceptance to now, by Postgres' clock. */
  tookSeconds: number;
  /** Payload of the station's CALLRESULT; undefined when there was none that its schema allows. */
  response: unknown;
  /** Where that answer stands among the station's frames (CommandOutcome.answeredAs): facts it tells yield to later ones. */
  answeredAs?: FactOrder | undefined;
  at: Date;
}

/**
 * What a command's end changes in the control plane (a SetChargingProfile that was accepted is in force, a GetVariables has
 * values). Runs once per command, in the transaction that gives it its final state, whoever that is; throws only faults.
 */
export type OutcomeEffect = (sql: Sql, command: EndedCommand) => Promise<void>;

/** What each capability makes of the ends of its commands. */
const EFFECTS: readonly (readonly [action: string, effect: OutcomeEffect])[] = [
  ...AVAILABILITY_OUTCOMES,
  ...CHARGING_PROFILE_OUTCOMES,
  ...LOCAL_LIST_OUTCOMES,
  ...RESERVATION_OUTCOMES,
  ...TRANSFER_OUTCOMES,
  ...CERTIFICATE_OUTCOMES,
  ...DATA_TRANSFER_OUTCOMES,
  ...DER_CONTROL_OUTCOMES,
  ...DISPLAY_MESSAGE_OUTCOMES,
  ...EVENT_STREAM_OUTCOMES,
  ...MONITOR_OUTCOMES,
  ...PASSWORD_OUTCOMES,
  ...TARIFF_OUTCOMES,
  ...TRANSACTION_OUTCOMES,
  ...VARIABLE_OUTCOMES,
];

/** By OCPP action; the effects of one action run in this order. */
export const OUTCOME_EFFECTS: ReadonlyMap<string, readonly OutcomeEffect[]> = new Map(
  [...Map.groupBy(EFFECTS, ([action]) => action)].map(([action, entries]) => [
    action,
    entries.map(([, effect]) => effect),
  ]),
);
