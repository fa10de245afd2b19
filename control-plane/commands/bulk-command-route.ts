import { z } from "zod";
import { sqlOn } from "../database.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { type CommandAnswer, COMMAND_EXAMPLE, commandAnswer } from "./command-answer.ts";
import { deliveryFields } from "./command-desk.ts";
import type { CommandRoutesDeps } from "./command-routes.ts";
import { commandableStation } from "./find-commandable-station.ts";
import { inWaves } from "./in-waves.ts";
import { OPERATOR_COMMAND_NAMES } from "./operator-commands.ts";
import { planOperatorCommand } from "./plan-operator-command.ts";

const MAX_CHARGE_POINTS = 200;
/** So many at a time: a command for all of a site must not be a burst on its grid, its network and our processes. */
const AT_A_TIME = 20;

const result = z.strictObject({
  charge_point_id: z.string(),
  command: commandAnswer.optional().describe("absent: no command was made for this charge point"),
  error: z
    .strictObject({ code: z.string(), detail: z.string(), pointer: z.string().optional() })
    .optional()
    .describe("why not"),
});
type Result = z.output<typeof result>;

/** One command for many charge points, each with its own result. */
export function bulkCommandRoute({ pool, desk, validator }: CommandRoutesDeps): Route {
  const sql = sqlOn(pool);
  return defineRoute({
    method: "post",
    path: "/api/v1/cpo/commands/bulk",
    operationId: "sendBulkCommand",
    summary: "Send one command in operators' words to up to 200 charge points",
    description: `It goes out ${AT_A_TIME} at a time. Each charge point has its own result; what is still under way after \`timeout_seconds\` is shown as it stands then. A charge point that is not found, or for which the parameters have no meaning, spoils nothing for the others. Each counts as a request against the rate limit.`,
    tag: "Commands",
    access: { kind: "organization", scope: "write:charge_points" },
    rateLimit: "command",
    countsAs: ({ charge_point_ids }) => new Set(charge_point_ids).size,
    idempotent: true,
    body: z.strictObject({
      charge_point_ids: z
        .array(z.string().min(1).max(64))
        .min(1)
        .max(MAX_CHARGE_POINTS)
        .describe("each gets the command once, also when it is named twice"),
      command: z.enum(OPERATOR_COMMAND_NAMES),
      parameters: z.record(z.string(), z.unknown()).default({}),
      ...deliveryFields,
    }),
    bodyExample: {
      charge_point_ids: ["cp_01hxab1c2d3e", "cp_01hxab4f5g6h"],
      command: "soft_reset",
      deliver: "when_connected",
    },
    responses: {
      200: {
        description: "One result per charge point, in the order they were named",
        schema: z.strictObject({ results: z.array(result) }),
        example: {
          results: [
            { charge_point_id: "cp_01hxab1c2d3e", command: COMMAND_EXAMPLE },
            {
              charge_point_id: "cp_01hxab4f5g6h",
              error: { code: "charge_point_not_found", detail: "There is no charge point cp_01hxab4f5g6h." },
            },
          ],
        },
      },
    },
    problems: ["unavailable"],
    async handle({ caller, body, signal, recorded }) {
      const until = Date.now() + body.timeout_seconds * 1_000;
      const ids = [...new Set(body.charge_point_ids)];
      const sendTo = async (chargePointId: string): Promise<CommandAnswer> => {
        const station = await commandableStation(sql, caller.orgId, chargePointId);
        const call = await planOperatorCommand({ sql, validator }, station, body.command, body.parameters);
        const { body: command } = await desk.dispatch(station, {
          ...call,
          pointers: { command: "/command", payload: "/parameters" },
          caller,
          delivery: { ...body, timeout_seconds: Math.max(0, (until - Date.now()) / 1_000) },
          signal,
          recorded,
        });
        return command;
      };
      return { status: 200, body: { results: await inWaves(ids, AT_A_TIME, (id) => resultOf(id, sendTo)) } };
    },
  });
}

/** Faults (no Postgres) end the request; what is wrong with one charge point is its result. */
async function resultOf(id: string, send: (id: string) => Promise<CommandAnswer>): Promise<Result> {
  try {
    return { charge_point_id: id, command: await send(id) };
  } catch (problem) {
    if (!(problem instanceof ProblemError)) throw problem;
    const [first] = problem.extras.errors ?? [];
    return {
      charge_point_id: id,
      error: {
        code: problem.problem,
        detail: first?.detail ?? problem.message,
        ...(first === undefined ? {} : { pointer: first.pointer }),
      },
    };
  }
}
