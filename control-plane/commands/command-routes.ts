import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type pg from "pg";
import { z } from "zod";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import type { RequestValidator } from "../http/validate-request.ts";
import { preparedSqlOn } from "../prepared-sql.ts";
import { COMMAND_EXAMPLE, commandAnswer } from "./command-answer.ts";
import { type CommandDesk, deliveryFields } from "./command-desk.ts";
import { commandableStation } from "./find-commandable-station.ts";
import { OPERATOR_COMMAND_NAMES } from "./operator-commands.ts";
import { planOperatorCommand } from "./plan-operator-command.ts";

export interface CommandRoutesDeps {
  pool: pg.Pool;
  desk: CommandDesk;
  /** Checks the parameters of the operators' commands as bodies are checked. */
  validator: Pick<RequestValidator, "body">;
}

const TAG = "Commands";
const chargePointId = z.string().min(1).max(64);
/** Of every operation that sends a command. */
const STATES =
  "A request that made a command is answered with that command: its `status` says what became of it, also when the charge point is offline (`not_connected`, with `reason` and `last_seen_at`), says no or does not answer. HTTP errors are for requests that made no command.";
const ANSWERS = {
  200: {
    description: "The command has its final state",
    schema: commandAnswer,
    headers: ["Location"],
    example: COMMAND_EXAMPLE,
  },
  202: {
    description: "Still under way, or waiting for the charge point; Location is the command's address",
    schema: commandAnswer,
    headers: ["Location"],
    example: { ...COMMAND_EXAMPLE, status: "queued", response: null, sent_at: null, response_time_ms: null },
  },
} as const;
const VERSIONS: Record<"ocpp16" | "ocpp201" | "ocpp21", OcppVersion> = {
  ocpp16: "1.6",
  ocpp201: "2.0.1",
  ocpp21: "2.1",
};
const API_OF = Object.fromEntries(Object.entries(VERSIONS).map(([name, version]) => [version, name])) as Record<
  OcppVersion,
  string
>;

/** Commands to charge points: raw for each version, and in operators' words. */
export function commandRoutes({ pool, desk, validator }: CommandRoutesDeps): Route[] {
  const sql = preparedSqlOn(pool);

  const rawRoute = (name: keyof typeof VERSIONS) =>
    defineRoute({
      method: "post",
      path: `/api/v1/${name}/send_command`,
      operationId: `${name}SendCommand`,
      summary: `Send any OCPP ${VERSIONS[name]} CALL to a charge point`,
      description: `The payload is checked against the version's schema before anything is sent. What may not be repeated (a remote start, an unlock, a reset) is never sent twice by us.\n\n${STATES}`,
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "command",
      readsAhead: true,
      idempotent: true,
      body: z.strictObject({
        charge_point_id: chargePointId,
        command: z.string().min(1).max(100).describe("an OCPP action"),
        payload: z.record(z.string(), z.unknown()).default({}),
        ...deliveryFields,
      }),
      bodyExample: {
        charge_point_id: "cp_01hxab1c2d3e",
        command: "TriggerMessage",
        payload: { requestedMessage: "Heartbeat" },
      },
      responses: ANSWERS,
      problems: ["charge_point_not_found", "wrong_ocpp_version", "conflict", "unavailable"],
      async handle({ caller, body, signal, recorded }) {
        const station = await commandableStation(sql, caller.orgId, body.charge_point_id);
        if (station.version !== VERSIONS[name])
          throw new ProblemError(
            "wrong_ocpp_version",
            `${body.charge_point_id} speaks OCPP ${station.version}, not ${VERSIONS[name]}.`,
            {
              remedy: `Use POST /api/v1/${API_OF[station.version]}/send_command.`,
              members: { ocpp_version: station.version },
            },
          );
        return desk.dispatch(station, {
          action: body.command,
          payload: body.payload,
          pointers: { command: "/command", payload: "/payload" },
          caller,
          delivery: body,
          signal,
          recorded,
        });
      },
    });

  return [
    rawRoute("ocpp16"),
    rawRoute("ocpp201"),
    rawRoute("ocpp21"),
    defineRoute({
      method: "post",
      path: "/api/v1/cpo/commands/{charge_point_id}",
      operationId: "sendOperatorCommand",
      summary: "Send a command in operators' words, whatever OCPP version the charge point speaks",
      description: STATES,
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "command",
      readsAhead: true,
      idempotent: true,
      params: z.strictObject({ charge_point_id: chargePointId }),
      body: z.strictObject({
        command: z.enum(OPERATOR_COMMAND_NAMES),
        parameters: z.record(z.string(), z.unknown()).default({}),
        ...deliveryFields,
      }),
      bodyExample: { command: "unlock_connector", parameters: { connector_id: 1 } },
      responses: ANSWERS,
      problems: ["charge_point_not_found", "conflict", "unavailable"],
      async handle({ caller, params, body, signal, recorded }) {
        const station = await commandableStation(sql, caller.orgId, params.charge_point_id);
        const call = await planOperatorCommand({ sql, validator }, station, body.command, body.parameters);
        return desk.dispatch(station, {
          ...call,
          pointers: { command: "/command", payload: "/parameters" },
          caller,
          delivery: body,
          signal,
          recorded,
        });
      },
    }),
  ];
}
