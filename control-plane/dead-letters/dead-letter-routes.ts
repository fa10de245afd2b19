import type pg from "pg";
import type { Logger } from "pino";
import { z } from "zod";
import { sqlOn } from "../database.ts";
import { givenTime, oneLine, pageAnswer, pageQuery } from "../http/fields.ts";
import { pageOf } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import type { MeterShapes } from "../transactions/meter-shapes.ts";
import {
  DEAD_LETTER_STATUSES,
  discardDeadLetter,
  type DeadLetterRow,
  findDeadLetter,
  listDeadLetters,
} from "./dead-letter-rows.ts";
import { deadLetter, shownDeadLetter, shownWhole, wholeDeadLetter } from "./dead-letter-view.ts";
import { replayDeadLetter } from "./replay-dead-letters.ts";
import { positionIn, replayRoute } from "./replay-route.ts";

const TAG = "Dead letters";
const BASE = "/api/v1/dead-letters";
const READ = { kind: "organization", scope: "read:messages" } as const;
const ACT = { kind: "organization", scope: "write:charge_points" } as const;
const params = z.strictObject({ dead_letter_id: z.string() });

const EXAMPLE = {
  dead_letter_id: "dl_5f0c7c1e2a9b4d63b1a0c4e8f7d29b11",
  status: "open" as const,
  charge_point_id: "cp_01hxab1c2d3e",
  kind: "from_charge_point" as const,
  action: "MeterValues",
  ocpp_version: "1.6",
  received_at: "2026-05-01T10:30:05.120Z",
  reason: "SQLSTATE 22003 meter_values",
  set_aside_at: "2026-05-01T10:30:05.180Z",
  tries: 1,
  last_try: { at: "2026-05-02T08:00:00.000Z", reason: "SQLSTATE 22003 meter_values" },
  closed: null,
  lane_id: "gateway-1-mabc123-0a1b2c3d",
  entry_id: "81-0",
  frame_index: 0,
};
const REPLAYED = {
  ...EXAMPLE,
  status: "replayed" as const,
  tries: 2,
  last_try: { at: "2026-05-03T08:00:00.000Z", reason: null },
  closed: { at: "2026-05-03T08:00:00.000Z", by: "key_01hxyz123abc", reason: null },
};
const DISCARDED = {
  ...EXAMPLE,
  status: "discarded" as const,
  closed: { at: "2026-05-03T08:00:00.000Z", by: "key_01hxyz123abc", reason: "a test unit" },
};

/** What charge points were answered and could not be filed: to look at, to apply once more, to give up. */
export function deadLetterRoutes({ pool, shapes, log }: { pool: pg.Pool; shapes: MeterShapes; log: Logger }): Route[] {
  const sql = sqlOn(pool);
  const replay = { pool, shapes, log };
  const find = async (orgId: string, id: string) => {
    const row = await findDeadLetter(sql, id, orgId);
    if (row === undefined) throw new ProblemError("not_found", `There is no dead letter ${id}.`);
    return row;
  };
  return [
    // Before {dead_letter_id}: "replay" is none.
    replayRoute(replay),
    defineRoute({
      method: "get",
      path: BASE,
      operationId: "listDeadLetters",
      summary: "Messages of charge points that could not be filed, newest first",
      description:
        "A message that was answered and stored is never lost: what cannot be applied is set aside with the reason, and the others go on. Those under identities that nobody has registered are shown to whoever runs the deployment alone (`cli dead-letters`).",
      tag: TAG,
      access: READ,
      rateLimit: "read",
      query: z.strictObject({
        ...pageQuery,
        status: z.enum(DEAD_LETTER_STATUSES).default("open"),
        charge_point_id: z.string().min(1).max(100).optional(),
        reason: z.string().min(1).max(1_000).optional().describe("exactly, of the setting aside or of the last replay"),
        since: givenTime().optional().describe("set aside at this time or later"),
      }),
      responses: {
        200: {
          description: "A page",
          schema: z.strictObject({ dead_letters: z.array(deadLetter), ...pageAnswer }),
          example: { dead_letters: [EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      async handle({ caller, query }) {
        const filter = {
          orgId: caller.orgId,
          status: query.status,
          chargePointId: query.charge_point_id,
          reason: query.reason,
          since: query.since,
        };
        const page = { limit: query.limit + 1, before: positionIn(query.cursor) };
        const rows = await listDeadLetters(sql, filter, page);
        const { page: shown, ...paging } = pageOf(rows, query.limit, (row: DeadLetterRow) => [row.position]);
        return { status: 200, body: { dead_letters: shown.map(shownDeadLetter), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: `${BASE}/{dead_letter_id}`,
      operationId: "getDeadLetter",
      summary: "A dead letter with its frame",
      tag: TAG,
      access: READ,
      rateLimit: "read",
      params,
      responses: {
        200: {
          description: "The dead letter",
          schema: wholeDeadLetter,
          example: {
            ...EXAMPLE,
            text: '[2,"1f7a","MeterValues",{"connectorId":1,"meterValue":[]}]',
            answer: null,
            epoch: 1777631400000,
            seq: 17,
            entry_base64: null,
          },
        },
      },
      problems: ["not_found"],
      async handle({ caller, params: { dead_letter_id: id } }) {
        return { status: 200, body: shownWhole(await find(caller.orgId, id), caller.scopes) };
      },
    }),
    defineRoute({
      method: "post",
      path: `${BASE}/{dead_letter_id}/replay`,
      operationId: "replayDeadLetter",
      summary: "Apply a message that was set aside once more",
      description:
        "Its effect is there once, however often it is replayed, and nothing that came later is overwritten. `outcome: failing` means that it still cannot be applied: it stays open, with the new reason.",
      tag: TAG,
      access: ACT,
      rateLimit: "write",
      idempotent: true,
      params,
      responses: {
        200: {
          description: "What came of it",
          schema: z.strictObject({ outcome: z.enum(["applied", "failing"]), dead_letter: deadLetter }),
          example: { outcome: "applied", dead_letter: REPLAYED },
        },
      },
      problems: ["not_found", "conflict"],
      async handle({ caller, params: { dead_letter_id: id } }) {
        await find(caller.orgId, id);
        const { kind } = await replayDeadLetter(replay, id, caller.keyId);
        if (kind === "closed" || kind === "not found") throw closed();
        return { status: 200, body: { outcome: kind, dead_letter: shownDeadLetter(await find(caller.orgId, id)) } };
      },
    }),
    defineRoute({
      method: "post",
      path: `${BASE}/{dead_letter_id}/discard`,
      operationId: "discardDeadLetter",
      summary: "Give up a message that was set aside",
      description:
        "It is never applied then, and is deleted some months later. The audit log keeps who did it and why.",
      tag: TAG,
      access: ACT,
      rateLimit: "write",
      idempotent: true,
      params,
      body: z.strictObject({ reason: oneLine(300) }),
      bodyExample: { reason: "a test unit" },
      responses: { 200: { description: "It is given up", schema: deadLetter, example: DISCARDED } },
      problems: ["not_found", "conflict"],
      async handle({ caller, params: { dead_letter_id: id }, body }) {
        await find(caller.orgId, id);
        const outcome = await discardDeadLetter(sql, id, { by: caller.keyId, why: body.reason });
        if (outcome !== "discarded") throw closed();
        return { status: 200, body: shownDeadLetter(await find(caller.orgId, id)) };
      },
    }),
  ];
}

const closed = () =>
  new ProblemError("conflict", "This dead letter was replayed or discarded already.", {
    remedy: "Nothing is left to do for it.",
  });
