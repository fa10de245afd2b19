import { z } from "zod";

const connectorId = z
  .int()
  .min(0)
  .max(10_000)
  .describe("1.6: the connector, 0 for the whole charge point; 2.x: the EVSE");
const httpOrFtp = z
  .string()
  .min(1)
  .max(512)
  .describe("URL that the charge point can reach: ftp, ftps, http, https or sftp");

const none = z.strictObject({});
const wholeOrConnector = z.strictObject({ connector_id: connectorId.default(0) });
const localListEntry = z.strictObject({
  id_tag: z.string().min(1).max(36),
  status: z.enum(["Accepted", "Blocked", "Expired", "Invalid"]).default("Accepted"),
  expires_at: z.iso.datetime().optional(),
});

/**
 * What an operator asks for, whatever version the charge point speaks: names and parameters. translate-16.ts and
 * translate-2x.ts say which CALL each becomes.
 */
export const OPERATOR_COMMANDS = {
  soft_reset: none,
  hard_reset: none,
  unlock_connector: z.strictObject({ connector_id: connectorId }),
  set_available: wholeOrConnector,
  set_unavailable: wholeOrConnector,
  start_session: z.strictObject({
    connector_id: connectorId.optional(),
    id_tag: z.string().min(1).max(36).describe("1.6: idTag, at most 20 characters; 2.x: idToken"),
  }),
  stop_session: z.strictObject({
    transaction_id: z
      .union([z.int(), z.string().min(1).max(36)])
      .describe("1.6: the number we gave; 2.x: the charge point's own id"),
  }),
  set_power_limit: z.strictObject({ connector_id: connectorId, limit_watts: z.number().min(0).max(10_000_000) }),
  clear_power_limit: z.strictObject({ connector_id: connectorId }),
  update_firmware: z.strictObject({
    firmware_url: httpOrFtp,
    retrieve_date: z.iso.datetime().optional().describe("default: now"),
  }),
  get_diagnostics: z.strictObject({ upload_url: httpOrFtp }),
  send_local_list: z.strictObject({
    list_version: z.int().min(1).max(2_147_483_647),
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

/** What a translation cannot take from the parameters. Tests give fixed ones. */
export interface CallFacts {
  now: Date;
  /** A number for requests that the station refers to later (2.x remoteStartId, requestId). */
  requestId: number;
}

export type Translations = { [C in OperatorCommand]: (parameters: ParametersOf<C>, facts: CallFacts) => PlannedCall };

/** Our power limits are profiles with these ids, one per connector, so that clearing finds them again. */
export const powerLimitProfileId = (connector: number): number => 9_000 + connector;
