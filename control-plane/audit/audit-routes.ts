import { z } from "zod";
import type { Sql } from "../database.ts";
import { givenTime, isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { defineRoute, type Route } from "../http/route.ts";

const OUTCOMES = ["running", "done", "refused", "failed"] as const;

const entry = z.strictObject({
  audit_id: z.string(),
  at: isoTime(),
  actor: z.strictObject({
    kind: z.enum(["api_key", "installer", "public", "cli"]),
    id: z.string().nullable().describe("API key, installer, or the system account at the command line"),
  }),
  action: z.string().describe("operationId of this document, or a command of the command line"),
  target: z.strictObject({ kind: z.string(), id: z.string() }).nullable(),
  outcome: z.enum(OUTCOMES).describe("running: under way, or its process died and the action may have had its effect"),
  status: z.number().int().nullable().describe("HTTP status of the answer"),
  request: z.unknown().describe("the body, with secrets and personal data masked"),
  before: z.unknown().describe("the target's state before; null where there was none"),
  after: z
    .unknown()
    .describe("the target's state after; null where the action was refused, or its kind keeps no state"),
  request_id: z.string().nullable(),
  remote_address: z.string().nullable(),
});

interface Row {
  id: string;
  at: Date;
  at_text: string;
  actor_kind: "api_key" | "installer" | "public" | "cli";
  actor_id: string | null;
  action: string;
  target_kind: string | null;
  target_id: string | null;
  outcome: (typeof OUTCOMES)[number];
  status: number | null;
  request: unknown;
  before: unknown;
  after: unknown;
  request_id: string | null;
  remote_address: string | null;
}

/** Who did what in the organisation. */
export function auditRoutes({ sql }: { sql: Sql }): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/audit-log",
      operationId: "listAuditLog",
      summary: "Every action on the organisation's things, newest first",
      description:
        "Actions of API keys, of installers in the organisation's projects, and of the command line. Entries are written before an action runs and never change after it.",
      tag: "Audit",
      access: { kind: "organization", scope: "read:audit_log" },
      rateLimit: "read",
      query: z.strictObject({
        ...pageQuery,
        from: givenTime().optional(),
        to: givenTime().optional(),
        actor_id: z.string().min(1).max(100).optional(),
        action: z.string().min(1).max(100).optional(),
        target_id: z.string().min(1).max(100).optional().describe("such as a charge_point_id"),
        outcome: z.enum(OUTCOMES).optional(),
      }),
      responses: {
        200: {
          description: "One page",
          schema: z.strictObject({ entries: z.array(entry), ...pageAnswer }),
          example: EXAMPLE,
        },
      },
      async handle({ caller, query }) {
        const [time, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await sql.query<Row>(
          `select id, at, to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as at_text, actor_kind, actor_id, action, target_kind, target_id,
                  outcome, status, request, before, after, request_id, remote_address
           from audit_log
           where org_id = $1 and ($2::timestamptz is null or (at, id) < ($2::timestamptz, $3::text))
             and ($4::timestamptz is null or at >= $4) and ($5::timestamptz is null or at < $5)
             and ($6::text is null or actor_id = $6) and ($7::text is null or action = $7)
             and ($8::text is null or target_id = $8) and ($9::text is null or outcome = $9)
           order by at desc, id desc limit $10`,
          [
            caller.orgId,
            time ?? null,
            id ?? null,
            query.from ?? null,
            query.to ?? null,
            query.actor_id ?? null,
            query.action ?? null,
            query.target_id ?? null,
            query.outcome ?? null,
            query.limit + 1,
          ],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.at_text, row.id]);
        return { status: 200, body: { entries: page.map(entryOf), ...paging } };
      },
    }),
  ];
}

const entryOf = (row: Row): z.input<typeof entry> => ({
  audit_id: row.id,
  at: isoMillis(row.at),
  actor: { kind: row.actor_kind, id: row.actor_id },
  action: row.action,
  target: row.target_kind === null || row.target_id === null ? null : { kind: row.target_kind, id: row.target_id },
  outcome: row.outcome,
  status: row.status,
  request: row.request,
  before: row.before,
  after: row.after,
  request_id: row.request_id,
  remote_address: row.remote_address,
});

const EXAMPLE = {
  entries: [
    {
      audit_id: "aud_01hxjk5m6n7p8q9r0s1t2v3w4x",
      at: "2026-05-01T10:23:00.120Z",
      actor: { kind: "api_key", id: "key_01hxyz123abc" },
      action: "updateProject",
      target: { kind: "project_id", id: "proj_01hx5t6u7v8w" },
      outcome: "done",
      status: 200,
      request: { charge_points_expected: 8 },
      before: { name: "Riverside Car Park", charge_points_expected: 6, status: "in_progress" },
      after: { name: "Riverside Car Park", charge_points_expected: 8, status: "in_progress" },
      request_id: "req_8f1c",
      remote_address: "203.0.113.7",
    },
  ],
  next_cursor: null,
  has_more: false,
};
