import { err, type Result } from "@dynamo-csms/proto/result";
import { z } from "zod";
import { givenTime } from "../http/fields.ts";

const connectorId = z
  .int()
  .min(0)
  .max(10_000)
  .describe("1.6: the connector, 0 for the whole charge point; 2.x: the EVSE, 0 for the whole charging station");
const oneConnectorId = connectorId.min(1).describe("1.6: the connector; 2.x: the EVSE");
const evseConnectorId = z
  .int()
  .min(1)
  .max(10_000)
  .optional()
  .describe("2.x: the connector within the EVSE, for EVSEs that have several");
const address = z
  .string()
  .min(1)
  .max(512)
  .describe("URL that the charge point can reach: ftp, ftps, http, https or sftp");
const retries = {
  retries: z.int().min(0).max(100).optional().describe("how often the charge point tries again"),
  retry_interval_seconds: z.int().min(0).max(86_400).optional(),
};

const none = z.strictObject({});
const wholeOrConnector = z.strictObject({ connector_id: connectorId.default(0), evse_connector_id: evseConnectorId });

/** IdTokenEnumType of 2.0.1, which 2.1 leaves open. */
const tokenType = z
  .enum(["Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization"])
  .optional();
const localListEntry = z.strictObject({
  id_tag: z.string().min(1).max(36),
  id_token_type: tokenType.describe("2.x; default: ISO14443"),
  status: z.enum(["Accepted", "Blocked", "Expired", "Invalid"]).default("Accepted"),
  expires_at: givenTime().optional(),
  parent_id_tag: z.string().min(1).max(36).optional().describe("2.x: the group"),
  removed: z.boolean().optional().describe("in a differential list: the entry is to be taken out"),
});

/**
 * What an operator asks for, whatever version the charge point speaks: names and parameters. translate-16.ts and
 * translate-2x.ts say which CALL each becomes.
 */
export const OPERATOR_COMMANDS = {
  soft_reset: none,
  hard_reset: none,
  unlock_connector: z.strictObject({ connector_id: oneConnectorId, evse_connector_id: evseConnectorId }),
  set_available: wholeOrConnector,
  set_unavailable: wholeOrConnector,
  start_session: z.strictObject({
    connector_id: oneConnectorId.optional(),
    id_tag: z.string().min(1).max(36).describe("1.6: idTag, at most 20 characters; 2.x: idToken"),
    id_token_type: tokenType.describe("2.x; default: Central, a token that we give and no reader"),
  }),
  stop_session: z.strictObject({
    transaction_id: z
      .union([z.int(), z.string().min(1).max(36)])
      .optional()
      .describe("1.6: the number we gave; 2.x: the charge point's own id; or the session's `sess_…`"),
    session_id: z.string().min(1).max(64).optional().describe("in its place: the session's id, `sess_…`"),
  }),
  set_power_limit: z.strictObject({
    connector_id: connectorId,
    limit_watts: z.number().min(0).max(10_000_000),
    amperes: z
      .strictObject({
        voltage: z.number().min(100).max(1_500).describe("between phase and neutral").default(230),
        phases: z.int().min(1).max(3).default(3),
      })
      .optional()
      .describe("for charge points that take limits in A alone: the watts are converted, and rounded down to 0.1 A"),
  }),
  clear_power_limit: z.strictObject({ connector_id: connectorId }),
  update_firmware: z.strictObject({
    firmware_url: address,
    retrieve_date: givenTime().optional().describe("default: now"),
    install_date: givenTime().optional().describe("not in the plain update of 1.6"),
    signing_certificate: z.string().min(1).max(5_500).optional().describe("PEM; with `signature`: a signed update"),
    signature: z.string().min(1).max(800).optional().describe("base64, of the firmware file"),
    ...retries,
  }),
  get_diagnostics: z.strictObject({
    upload_url: address,
    log: z.enum(["diagnostics", "security"]).default("diagnostics"),
    from: givenTime().optional().describe("oldest entry"),
    to: givenTime().optional().describe("newest entry"),
    ...retries,
  }),
  send_local_list: z.strictObject({
    list_version: z.int().min(1).max(2_147_483_647),
    update: z
      .enum(["full", "differential"])
      .default("full")
      .describe("full replaces the list; differential changes it"),
    local_authorization_list: z.array(localListEntry).max(10_000),
  }),
} as const;

export type OperatorCommand = keyof typeof OPERATOR_COMMANDS;
export const OPERATOR_COMMAND_NAMES = Object.keys(OPERATOR_COMMANDS) as [OperatorCommand, ...OperatorCommand[]];
export type ParametersOf<C extends OperatorCommand> = z.output<(typeof OPERATOR_COMMANDS)[C]>;

/** A CALL to a station, before its payload is checked against the version's schema. */
export interface PlannedCall {
  action: string;
  payload: Record<string, unknown>;
}

/** Parameters that fit their schema and have no meaning in the station's version, or not together. */
export interface ParameterMistake {
  parameter: string;
  detail: string;
}

export type Plan = Result<PlannedCall, ParameterMistake>;

/** What a translation cannot take from the parameters. Tests give fixed ones. */
export interface CallFacts {
  now: Date;
  /** A number for requests that the station refers to later (2.x remoteStartId, requestId). */
  requestId: number;
  /** The transaction that `stop_session` means, as the station knows it; absent: there is none. */
  transactionId?: string;
  /** 2.x: connectors of the EVSE that the command is about, as far as the station told of them. */
  evseConnectors?: readonly number[];
}

export type Translations = { [C in OperatorCommand]: (parameters: ParametersOf<C>, facts: CallFacts) => Plan };

export const mistake = (parameter: string, detail: string): Plan => err({ parameter, detail });

/** Our power limits are profiles with these ids, one per connector, so that clearing finds them again. */
export const powerLimitProfileId = (connector: number): number => 9_000 + connector;

/** The rate unit and the one period of a power limit (ChargingSchedule; 1.6 §7.9, 2.x Part 2 "ChargingScheduleType"). */
export function powerLimit({ limit_watts, amperes }: ParametersOf<"set_power_limit">): {
  chargingRateUnit: "W" | "A";
  chargingSchedulePeriod: { startPeriod: 0; limit: number; numberPhases?: number }[];
} {
  if (amperes === undefined)
    return { chargingRateUnit: "W", chargingSchedulePeriod: [{ startPeriod: 0, limit: downToTenth(limit_watts) }] };
  const limit = downToTenth(limit_watts / (amperes.voltage * amperes.phases));
  return { chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit, numberPhases: amperes.phases }] };
}

/** A limit is never exceeded by rounding; 1.6 knows one digit behind the point. */
const downToTenth = (value: number) => Math.floor(value * 10 + 1e-6) / 10;

/** Drops what is undefined: optional fields of OCPP are absent, never null. */
export function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
