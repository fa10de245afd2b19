import { z } from "zod";
import type { Sql } from "../database.ts";
import { givenTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { readSessionRecords, SESSION_RECORDS_EXAMPLE, sessionRecords } from "./session-records.ts";
import { readRegisters } from "./session-registers.ts";
import { SELECT_SESSIONS, SESSION_STATUSES, type SessionRow, STATUS_SQL } from "./session-row.ts";
import { session, SESSION_EXAMPLE, sessionView } from "./session-view.ts";

const TAG = "Sessions";

/** The organisation's charging sessions. */
export function sessionRoutes({ sql }: { sql: Sql }): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/sessions",
      operationId: "listSessions",
      summary: "List charging sessions, the last recorded first",
      description:
        "In the order in which they became known here: a charge point that was offline reports sessions of days ago, and its clock may be wrong. Sessions are kept for ever; their single readings for METER_VALUES_DAYS.",
      tag: TAG,
      access: { kind: "organization", scope: "read:sessions" },
      rateLimit: "read",
      query: z.strictObject({
        ...pageQuery,
        from: givenTime()
          .optional()
          .describe("started then or later; a beginning that was not reported counts as when the session became known"),
        to: givenTime().optional().describe("started before then"),
        charge_point_id: z.string().min(1).max(64).optional(),
        project_id: z.string().min(1).max(64).optional(),
        id_token: z.string().min(1).max(255).optional().describe("in any case"),
        transaction_id: z.string().min(1).max(255).optional(),
        status: z.enum(SESSION_STATUSES).optional(),
      }),
      responses: {
        200: {
          description: "A page of sessions",
          schema: z.object({ sessions: z.array(session), ...pageAnswer }),
          example: { sessions: [SESSION_EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      async handle({ caller, query }) {
        const [time, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, isTimeAndNumber);
        const rows = await sql.query<SessionRow>(
          `${SELECT_SESSIONS}
           where t.org_id = $1
             and ($2::timestamptz is null or (t.created_at, t.id) < ($2::timestamptz, $3::bigint))
             and ($4::timestamptz is null or coalesce(t.started_at, t.created_at) >= $4::timestamptz)
             and ($5::timestamptz is null or coalesce(t.started_at, t.created_at) < $5::timestamptz)
             and ($6::text is null or t.station_id = (select id from stations where charge_point_id = $6::text and org_id = $1))
             and ($7::text is null or s.project_id = $7::text)
             and ($8::text is null or lower(t.id_token) = lower($8::text))
             and ($9::text is null or t.transaction_id = $9::text)
             and ($10::text is null or $10::text = ${STATUS_SQL})
           order by t.created_at desc, t.id desc limit $11`,
          [
            caller.orgId,
            time ?? null,
            id ?? null,
            query.from ?? null,
            query.to ?? null,
            query.charge_point_id ?? null,
            query.project_id ?? null,
            query.id_token ?? null,
            query.transaction_id ?? null,
            query.status ?? null,
            query.limit + 1,
          ],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.created_at_text, row.id]);
        const registers = await readRegisters(sql, page);
        const sessions = page.map((row) => sessionView(row, registers.get(row.session_id)));
        return { status: 200, body: { sessions, ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/sessions/{session_id}",
      operationId: "getSession",
      summary: "One charging session, with what its meter signed and how it was paid",
      tag: TAG,
      access: { kind: "organization", scope: "read:sessions" },
      rateLimit: "read",
      params: z.strictObject({ session_id: z.string().max(64) }),
      responses: {
        200: {
          description: "The session",
          schema: session.extend(sessionRecords),
          example: { ...SESSION_EXAMPLE, ...SESSION_RECORDS_EXAMPLE },
        },
      },
      problems: ["not_found"],
      async handle({ caller, params }) {
        const row = await findSession(sql, caller.orgId, params.session_id);
        const registers = await readRegisters(sql, [row]);
        const view = sessionView(row, registers.get(row.session_id));
        return { status: 200, body: { ...view, ...(await readSessionRecords(sql, row)) } };
      },
    }),
  ];
}

const isTimeAndNumber = (keys: string[]): boolean => timeAndId(keys) && /^\d{1,18}$/.test(keys[1] ?? "");

/** The organisation's session. @throws ProblemError not_found. */
export async function findSession(sql: Sql, orgId: string, sessionId: string): Promise<SessionRow> {
  const [row] = await sql.query<SessionRow>(`${SELECT_SESSIONS} where t.org_id = $1 and t.session_id = $2`, [
    orgId,
    sessionId,
  ]);
  if (row === undefined) throw new ProblemError("not_found", "There is no such session.");
  return row;
}
