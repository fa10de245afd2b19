import { z } from "zod";
import { type Sql, sqlOn } from "../database.ts";
import { givenTime, pageAnswer } from "../http/fields.ts";
import { decodeCursor, encodeCursor } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { type ReplayDeps, replayDeadLetters } from "./replay-dead-letters.ts";

/** Letters of one request: each is a transaction, and somebody waits for the answer. */
const MAX_REPLAYED = 100;
const REPLAY_DEADLINE_MS = 15_000;

/** Many of the organisation's dead letters at once. */
export const replayRoute = (deps: ReplayDeps): Route =>
  defineRoute({
    method: "post",
    path: "/api/v1/dead-letters/replay",
    operationId: "replayDeadLetters",
    summary: "Apply open dead letters once more, oldest first",
    description: `At most ${MAX_REPLAYED} in a request: while \`has_more\` is true, send it again with \`cursor\`. Those that still fail stay open and are passed over.`,
    tag: "Dead letters",
    access: { kind: "organization", scope: "write:charge_points" },
    rateLimit: "write",
    idempotent: true,
    body: z.strictObject({
      charge_point_id: z.string().min(1).max(100).optional(),
      reason: z.string().min(1).max(1_000).optional().describe("exactly, as the list shows it"),
      since: givenTime().optional().describe("set aside at this time or later"),
      limit: z.number().int().min(1).max(MAX_REPLAYED).default(MAX_REPLAYED),
      cursor: z.string().min(1).max(500).optional().describe("`next_cursor` of the answer before"),
    }),
    bodyExample: { charge_point_id: "cp_01hxab1c2d3e", reason: "SQLSTATE 22003 meter_values" },
    problems: ["charge_point_not_found"],
    responses: {
      200: {
        description: "What came of them",
        schema: z.strictObject({
          applied: z.number().int(),
          failing: z.array(z.strictObject({ dead_letter_id: z.string(), reason: z.string() })),
          ...pageAnswer,
        }),
        example: { applied: 12, failing: [], next_cursor: null, has_more: false },
      },
    },
    async handle({ caller, body }) {
      await checkStation(sqlOn(deps.pool), caller.orgId, body.charge_point_id);
      const filter = {
        orgId: caller.orgId,
        chargePointId: body.charge_point_id,
        reason: body.reason,
        since: body.since,
      };
      const { applied, failing, next } = await replayDeadLetters(deps, filter, {
        limit: body.limit,
        after: positionIn(body.cursor),
        by: caller.keyId,
        deadlineMs: REPLAY_DEADLINE_MS,
      });
      return {
        status: 200,
        body: {
          applied,
          failing: failing.map(({ id, reason }) => ({ dead_letter_id: id, reason })),
          next_cursor: next === undefined ? null : encodeCursor([next]),
          has_more: next !== undefined,
        },
      };
    },
  });

/** Throws ProblemError charge_point_not_found for one that is not the organisation's. Retired ones are: what they sent stays. */
async function checkStation(sql: Sql, orgId: string, chargePointId: string | undefined): Promise<void> {
  if (chargePointId === undefined) return;
  const rows = await sql.query(`select 1 from stations where charge_point_id = $1 and org_id = $2`, [
    chargePointId,
    orgId,
  ]);
  if (rows.length === 0) throw new ProblemError("charge_point_not_found", `There is no charge point ${chargePointId}.`);
}

/** The place in the list that a cursor stands for. Throws ProblemError for one that none of the lists gave out. */
export const positionIn = (cursor: string | undefined): string | undefined =>
  cursor === undefined ? undefined : decodeCursor(cursor, 1, ([position = ""]) => /^\d{1,18}$/.test(position))[0];
