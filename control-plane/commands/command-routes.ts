import { randomInt } from "node:crypto";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type pg from "pg";
import { z } from "zod";
import { sqlOn } from "../database.ts";
import { pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type JsonReply, type Route } from "../http/route.ts";
import type { RequestValidator } from "../http/validate-request.ts";
import { pause } from "../jobs/pause.ts";
import { commandAnswer, FINAL, findCommand, listCommands } from "./command-answer.ts";
import { findCommandableStation, type CommandableStation } from "./find-commandable-station.ts";
import { OPERATOR_COMMAND_NAMES, OPERATOR_COMMANDS } from "./operator-commands.ts";
import { planCall } from "./plan-call.ts";
import type { CommandRefusal, CommandSender } from "./send-command.ts";

export interface CommandRoutesDeps {
  pool: pg.Pool;
  sender: CommandSender;
  /** Checks the parameters of the operators' commands as bodies are checked. */
  validator: Pick<RequestValidator, "body">;
}

const TAG = "Commands";
const timeoutSeconds = z
  .int()
  .min(1)
  .max(60)
  .default(10)
  .describe("how long to wait for the outcome; then 202 with the command's address");
const chargePointId = z.string().min(1).max(64);
/** Of every operation that sends a command. */
const STATES =
  "A request that made a command is answered with that command: its `status` says what became of it, also when the charge point is offline (`not_connected`, with `reason` and `last_seen_at`), says no or does not answer. HTTP errors are for requests that made no command.";
const ANSWERS = {
  200: { description: "The command has its final state", schema: commandAnswer, headers: ["Location"] },
  202: {
    description: "Still under way; Location is the command's address",
    schema: commandAnswer,
    headers: ["Location"],
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

interface Wanted {
  action: string;
  payload: unknown;
  /** Where in the body the payload's mistakes are. */
  pointer: string;
  keyId: string;
  timeoutSeconds: number;
  signal: AbortSignal;
}

/** Commands to charge points, raw for each version and in operators' words, and what became of them. */
export function commandRoutes({ pool, sender, validator }: CommandRoutesDeps): Route[] {
  const sql = sqlOn(pool);

  async function stationOf(orgId: string, id: string): Promise<CommandableStation> {
    const station = await findCommandableStation(sql, orgId, id);
    if (station === undefined) throw new ProblemError("charge_point_not_found", `There is no charge point ${id}.`);
    return station;
  }

  /** Sends it and waits, but not for a client that went away. */
  async function sendAndWait(station: CommandableStation, wanted: Wanted): Promise<JsonReply> {
    const sent = await sender.send({
      station,
      action: wanted.action,
      payload: wanted.payload,
      requestedBy: wanted.keyId,
    });
    if (!sent.ok) throw problemOf(sent.error, wanted.pointer);
    const waiting = new AbortController();
    await Promise.race([
      sent.value.settled,
      pause(wanted.timeoutSeconds * 1_000, AbortSignal.any([wanted.signal, waiting.signal])),
    ]);
    waiting.abort();
    const body = await findCommand(sql, station.orgId, sent.value.commandId);
    if (body === undefined) throw new Error(`the row of command ${sent.value.commandId} is gone`);
    const location = `/api/v1/commands/${body.command_id}`;
    return FINAL.has(body.status)
      ? { status: 200, body, headers: { location } }
      : { status: 202, body, headers: { location } };
  }

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
      idempotent: true,
      body: z.strictObject({
        charge_point_id: chargePointId,
        command: z.string().min(1).max(100).describe("an OCPP action"),
        payload: z.record(z.string(), z.unknown()).default({}),
        timeout_seconds: timeoutSeconds,
      }),
      bodyExample: {
        charge_point_id: "cp_01hxab1c2d3e",
        command: "TriggerMessage",
        payload: { requestedMessage: "Heartbeat" },
      },
      responses: ANSWERS,
      problems: ["charge_point_not_found", "wrong_ocpp_version", "unavailable"],
      async handle({ caller, body, signal }) {
        const station = await stationOf(caller.orgId, body.charge_point_id);
        if (station.version !== VERSIONS[name])
          throw new ProblemError(
            "wrong_ocpp_version",
            `${body.charge_point_id} speaks OCPP ${station.version}, not ${VERSIONS[name]}.`,
            {
              remedy: `Use POST /api/v1/${API_OF[station.version]}/send_command.`,
              members: { ocpp_version: station.version },
            },
          );
        return sendAndWait(station, {
          action: body.command,
          payload: body.payload,
          pointer: "/payload",
          keyId: caller.keyId,
          timeoutSeconds: body.timeout_seconds,
          signal,
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
      idempotent: true,
      params: z.strictObject({ charge_point_id: chargePointId }),
      body: z.strictObject({
        command: z.enum(OPERATOR_COMMAND_NAMES),
        parameters: z.record(z.string(), z.unknown()).default({}),
        timeout_seconds: timeoutSeconds,
      }),
      bodyExample: { command: "unlock_connector", parameters: { connector_id: 1 } },
      responses: ANSWERS,
      problems: ["charge_point_not_found", "unavailable"],
      async handle({ caller, params, body, signal }) {
        const station = await stationOf(caller.orgId, params.charge_point_id);
        const parameters = validator.body(OPERATOR_COMMANDS[body.command], body.parameters);
        if (!parameters.ok) {
          const errors = parameters.error.map((error) => ({ ...error, pointer: `/parameters${error.pointer}` }));
          throw new ProblemError("validation_failed", `The parameters do not fit ${body.command}.`, { errors });
        }
        const call = planCall(station.version, body.command, parameters.value, {
          now: new Date(),
          requestId: randomInt(1, 2_147_483_647),
        });
        return sendAndWait(station, {
          ...call,
          pointer: "/parameters",
          keyId: caller.keyId,
          timeoutSeconds: body.timeout_seconds,
          signal,
        });
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/cpo/commands/{charge_point_id}",
      operationId: "listCommands",
      summary: "Commands sent to a charge point, newest first",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params: z.strictObject({ charge_point_id: chargePointId }),
      query: z.strictObject(pageQuery),
      responses: {
        200: { description: "One page", schema: z.strictObject({ commands: z.array(commandAnswer), ...pageAnswer }) },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params, query }) {
        const station = await stationOf(caller.orgId, params.charge_point_id);
        const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await listCommands(sql, station.id, query.limit, before);
        const { page, ...rest } = pageOf(rows, query.limit, (row) => row.keys);
        return { status: 200, body: { commands: page.map((row) => row.answer), ...rest } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/commands/{command_id}",
      operationId: "getCommand",
      summary: "What became of a command",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params: z.strictObject({ command_id: z.string().min(1).max(64) }),
      responses: { 200: { description: "The command", schema: commandAnswer } },
      problems: ["not_found"],
      async handle({ caller, params }) {
        const body = await findCommand(sql, caller.orgId, params.command_id);
        if (body === undefined) throw new ProblemError("not_found", `There is no command ${params.command_id}.`);
        return { status: 200, body };
      },
    }),
  ];
}

function problemOf(refusal: CommandRefusal, pointer: string): ProblemError {
  switch (refusal.kind) {
    case "unknown-action":
      return new ProblemError("validation_failed", refusal.description, {
        errors: [{ pointer: "/command", code: "unknown_action", detail: refusal.description }],
      });
    case "invalid-payload":
      return new ProblemError("validation_failed", refusal.description, {
        errors: [{ pointer: `${pointer}${refusal.pointer}`, code: "invalid_payload", detail: refusal.description }],
      });
    case "busy":
      return new ProblemError("unavailable", "Too many commands are under way.", { retryAfterSeconds: 5 });
  }
}
