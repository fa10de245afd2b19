import type pg from "pg";
import type { Logger } from "pino";
import { z } from "zod";
import { inTransaction, sqlOn } from "../database.ts";
import { pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { cancelCommand } from "./cancel-command.ts";
import {
  COMMAND_EXAMPLE,
  COMMAND_STATUSES,
  commandAnswer,
  type CommandReader,
  findCommand,
  listCommands,
} from "./command-answer.ts";
import type { CommandMetrics } from "./command-metrics.ts";
import { commandableStation } from "./find-commandable-station.ts";

const TAG = "Commands";
const params = z.strictObject({ command_id: z.string().min(1).max(64) });

/** What became of commands, and the end of those that wait. */
export function commandHistoryRoutes({
  pool,
  metrics,
  log,
}: {
  pool: pg.Pool;
  metrics: CommandMetrics;
  log: Logger;
}): Route[] {
  const sql = sqlOn(pool);

  async function commandOf(reader: CommandReader, commandId: string) {
    const command = await findCommand(sql, reader, commandId);
    if (command === undefined) throw new ProblemError("not_found", `There is no command ${commandId}.`);
    return command;
  }

  return [
    defineRoute({
      method: "get",
      path: "/api/v1/cpo/commands/{charge_point_id}",
      operationId: "listCommands",
      summary: "Commands sent to a charge point, newest first",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params: z.strictObject({ charge_point_id: z.string().min(1).max(64) }),
      query: z.strictObject({
        action: z.string().min(1).max(100).optional().describe("an OCPP action: the `command` of the answers"),
        status: z.enum(COMMAND_STATUSES).optional(),
        ...pageQuery,
      }),
      responses: {
        200: {
          description: "One page",
          schema: z.strictObject({ commands: z.array(commandAnswer), ...pageAnswer }),
          example: { commands: [COMMAND_EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id }, query }) {
        const station = await commandableStation(sql, caller.orgId, charge_point_id);
        const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await listCommands(sql, station.id, caller.scopes, query, query.limit, before);
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
      params,
      responses: { 200: { description: "The command", schema: commandAnswer, example: COMMAND_EXAMPLE } },
      problems: ["not_found"],
      async handle({ caller, params: { command_id } }) {
        return { status: 200, body: await commandOf(caller, command_id) };
      },
    }),
    defineRoute({
      method: "delete",
      path: "/api/v1/commands/{command_id}",
      operationId: "cancelCommand",
      summary: "Cancel a command that waits for its charge point",
      description:
        "Only while it waits: it ends as `not_connected` with the reason. One that is on its way cannot be called back.",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "command",
      params,
      responses: {
        200: {
          description: "The command, which will not be sent",
          schema: commandAnswer,
          example: {
            ...COMMAND_EXAMPLE,
            status: "not_connected",
            response: null,
            reason: "cancelled before it was sent",
            last_seen_at: "2026-05-01T09:12:40.000Z",
            deliver: "when_connected",
            valid_until: "2026-05-02T10:23:00.000Z",
            sent_at: null,
            response_time_ms: null,
          },
        },
      },
      problems: ["not_found", "conflict"],
      async handle({ caller, params: { command_id } }) {
        const cancelled = await metrics.whenCommitted((ended) =>
          inTransaction(pool, (tx) => cancelCommand(tx, caller.orgId, command_id, { log, ended })),
        );
        const body = await commandOf(caller, command_id);
        if (!cancelled)
          throw new ProblemError("conflict", `${command_id} does not wait: it is ${body.status}.`, {
            remedy: "Only a command that waits for its charge point can be cancelled.",
          });
        return { status: 200, body };
      },
    }),
  ];
}
