import type pg from "pg";
import { z } from "zod";
import type { WakeUps } from "../jobs/durable-work.ts";
import { QUEUED_COMMANDS } from "../commands/deliver-queued.ts";
import { commandableStation } from "../commands/find-commandable-station.ts";
import { sqlOn } from "../database.ts";
import { pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { findLocalList, listEntries, localListAnswer } from "./local-list-view.ts";
import { type SyncRefusal, syncLocalList } from "./sync-local-list.ts";

const TAG = "Local authorization lists";
const params = z.strictObject({ charge_point_id: z.string().min(1).max(64) });
const DAY_SECONDS = 86_400;

const REFUSALS: Record<SyncRefusal, [detail: string, remedy: string]> = {
  "under-way": [
    "The last sync of this charge point is not finished.",
    "Wait for its commands, or cancel those that wait with DELETE /api/v1/commands/{command_id}.",
  ],
  "too-many-tokens": [
    "The organisation has more than 10,000 tokens, which no local list holds.",
    "Send a selection with the command send_local_list.",
  ],
  "versions-used-up": [
    "The list's version is the highest that there is.",
    "Send a full list with a low version with the command send_local_list.",
  ],
};

/** What tokens a charge point can judge by itself, and the way to give it the organisation's. */
export function localListRoutes({ pool, wakeUps }: { pool: pg.Pool; wakeUps: WakeUps }): Route[] {
  const sql = sqlOn(pool);
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/local-list",
      operationId: "getLocalList",
      summary: "The local authorization list of a charge point, as it accepted it",
      description:
        "The command GetLocalListVersion asks the charge point for its version: `in_step` says whether it is the one that was accepted. A list that changes between two pages may show an entry twice, or not at all.",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params,
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "The list with one page of its entries",
          schema: localListAnswer,
          example: {
            version: 7,
            updated_at: "2026-05-01T10:23:00.000Z",
            entries_known: true,
            last_result: "Accepted",
            reported_version: 7,
            reported_at: "2026-05-01T10:24:00.000Z",
            in_step: true,
            entries: [
              {
                id_token: "04a2b3c4d5e680",
                id_token_type: "ISO14443",
                status: "Accepted",
                expires_at: null,
                group_id_token: null,
              },
            ],
            next_cursor: null,
            has_more: false,
          },
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id }, query }) {
        const station = await commandableStation(sql, caller.orgId, charge_point_id);
        const [from] = query.cursor === undefined ? ["0"] : decodeCursor(query.cursor, 1, isPlace);
        const head = await findLocalList(sql, station.id);
        const { page, ...rest } = pageOf(
          await listEntries(sql, station.id, { from: Number(from), limit: query.limit, scopes: caller.scopes }),
          query.limit,
          (row) => row.keys,
        );
        return { status: 200, body: { ...head, entries: page.map((row) => row.answer), ...rest } };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/charge-points/{charge_point_id}/local-list/sync",
      operationId: "syncLocalList",
      summary: "Give a charge point the organisation's tokens as its local authorization list",
      description:
        "A full list, in as many messages as the charge point needs: each is a command that waits for it, and the first one that it does not accept ends the others. Versions go on from the highest known one.",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "command",
      idempotent: true,
      params,
      body: z.strictObject({
        items_per_message: z
          .int()
          .min(1)
          .max(1_000)
          .optional()
          .describe("default: what the charge point said (SendLocalListMaxLength, ItemsPerMessage), else 50"),
        valid_for_seconds: z
          .int()
          .min(60)
          .max(7 * DAY_SECONDS)
          .default(DAY_SECONDS),
      }),
      bodyExample: {},
      responses: {
        202: {
          description: "The commands that wait for the charge point, or are on their way",
          schema: z.strictObject({
            command_ids: z.array(z.string()),
            first_version: z.int(),
            last_version: z.int().describe("the list's version when all are accepted"),
            tokens: z.int(),
            skipped: z.int().describe("tokens that this OCPP version cannot hold: too long, or of another type"),
          }),
          example: {
            command_ids: ["cmd_4tq0v8yq2m1xkz7c5h9d3rwbne"],
            first_version: 8,
            last_version: 8,
            tokens: 23,
            skipped: 0,
          },
        },
      },
      problems: ["charge_point_not_found", "conflict"],
      async handle({ caller, params: { charge_point_id }, body }) {
        const station = await commandableStation(sql, caller.orgId, charge_point_id);
        const started = await syncLocalList(pool, station, {
          requestedBy: caller.keyId,
          itemsPerMessage: body.items_per_message,
          validForMs: body.valid_for_seconds * 1_000,
        });
        if (!started.ok) {
          const [detail, remedy] = REFUSALS[started.error];
          throw new ProblemError("conflict", detail, { remedy });
        }
        wakeUps.wake(QUEUED_COMMANDS, station.id);
        const { commandIds, firstVersion, lastVersion, tokens, skipped } = started.value;
        return {
          status: 202,
          body: { command_ids: commandIds, first_version: firstVersion, last_version: lastVersion, tokens, skipped },
        };
      },
    }),
  ];
}

const isPlace = ([place = ""]: string[]): boolean => /^\d{1,9}$/.test(place);
