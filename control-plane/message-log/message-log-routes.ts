import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type pg from "pg";
import { z } from "zod";
import { type Sql, sqlOn } from "../database.ts";
import { givenTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import {
  direction,
  isOfAction,
  message,
  messageColumns,
  type MessageRow,
  messageView,
  SHOWN_CHARACTERS,
  validation,
} from "./message-view.ts";
import { messageStreamRoute } from "./message-stream-route.ts";
import type { StreamSettings } from "./stream-settings.ts";

export interface MessageLogDeps {
  pool: pg.Pool;
  streams: StreamSettings;
}

/** Stations choose the ids of their messages, and may use one for ever: a page of whole frames must fit into memory. */
const MAX_WHOLE = 10;

const EXAMPLE = {
  received_at: "2026-05-01T10:30:05.120Z",
  direction: "from_charge_point",
  type: "CALL",
  action: "Authorize",
  message_id: "1f7a",
  raw: '[2,"1f7a","Authorize",{"idTag":"04…80"}]',
  truncated: false,
  answer: '[3,"1f7a",{"idTagInfo":{"status":"Accepted"}}]',
  answer_source: "stored",
  validation: "ok",
  error_code: null,
  breaks_schema: false,
  latency_ms: 12,
  node_id: "gateway-0",
  connection: 1777631400000,
  epoch: 1777631400000,
  seq: 17,
};

/** The OCPP frames of a charge point as they travelled: what one reads when a unit and a manual disagree. */
export function messageLogRoutes({ pool, streams }: MessageLogDeps): Route[] {
  const sql = sqlOn(pool);
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/messages",
      operationId: "listMessages",
      summary: "The OCPP frames of a charge point, newest first",
      description:
        "Frames are shown as they travelled, except that known secret fields are masked, and tokens too where the key lacks read:id_tokens. What vendors put into DataTransfer is theirs and shown as it is. Heartbeats are kept only where the intake runs with LOG_HEARTBEATS=true, or when they were refused. What a gateway answers by itself has no latency_ms: its answer is on its way as soon as the frame is stored.",
      tag: "Charge points",
      access: { kind: "organization", scope: "read:messages" },
      rateLimit: "read",
      params: z.strictObject({ charge_point_id: z.string() }),
      query: z.strictObject({
        ...pageQuery,
        from: givenTime().optional(),
        to: givenTime().optional().describe("exclusive"),
        action: z.string().max(64).optional().describe("of CALLs, and of the answers to ours"),
        direction: direction.optional(),
        message_id: z
          .string()
          .max(36)
          .optional()
          .describe(`frames of this id are shown whole, at most ${MAX_WHOLE} on a page`),
        validation: validation.optional(),
        flagged: z.boolean().optional().describe("whether it breaks its schema, accepted or refused"),
        order: z.enum(["newest_first", "oldest_first"]).default("newest_first"),
      }),
      responses: {
        200: {
          description: "A page of frames",
          schema: z.object({ messages: z.array(message), ...pageAnswer }),
          example: { messages: [EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params, query }) {
        const station = await findLoggedStation(sql, caller.orgId, params.charge_point_id);
        const limit = query.message_id === undefined ? query.limit : Math.min(query.limit, MAX_WHOLE);
        const [epoch, seq] =
          query.cursor === undefined
            ? []
            : decodeCursor(query.cursor, 2, (keys) => keys.every((key) => /^\d{1,15}$/.test(key)));
        // (epoch, seq) is the order of a station's frames, and the order of the primary key.
        const [compare, order] = query.order === "oldest_first" ? [">", "asc"] : ["<", "desc"];
        const rows = await sql.query<MessageRow>(
          `select ${messageColumns("$9::int")} from message_log m
           where m.station_id = $1 and ($2::bigint is null or (m.epoch, m.seq) ${compare} ($2::bigint, $3::bigint))
             and ($4::timestamptz is null or m.received_at >= $4::timestamptz) and ($5::timestamptz is null or m.received_at < $5::timestamptz)
             and ($6::text is null or ${isOfAction("$6::text")}) and ($7::smallint is null or m.direction = $7::smallint)
             and ($8::text is null or m.message_id = $8::text)
             and ($10::text is null or $10::text = case when m.answer like '[4,%' then 'refused' when m.flagged then 'flagged' else 'ok' end)
             and ($11::boolean is null or m.flagged = $11::boolean)
           order by m.epoch ${order}, m.seq ${order} limit $12`,
          [
            station.id,
            epoch ?? null,
            seq ?? null,
            query.from ?? null,
            query.to ?? null,
            query.action ?? null,
            query.direction === undefined ? null : query.direction === "from_charge_point" ? 0 : 1,
            query.message_id ?? null,
            query.message_id === undefined ? SHOWN_CHARACTERS : 2_147_483_647,
            query.validation ?? null,
            query.flagged ?? null,
            limit + 1,
          ],
        );
        const { page, ...paging } = pageOf(rows, limit, (row) => [row.epoch, String(row.seq)]);
        const messages = page.map((row) => messageView(row, station.version, caller.scopes));
        return { status: 200, body: { messages, ...paging } };
      },
    }),
    messageStreamRoute({ sql, streams, findStation: (orgId, id) => findLoggedStation(sql, orgId, id) }),
  ];
}

/** The organisation's station, retired or not: what it sent stays. Throws ProblemError charge_point_not_found. */
async function findLoggedStation(
  sql: Sql,
  orgId: string,
  chargePointId: string,
): Promise<{ id: string; version: OcppVersion }> {
  const [station] = await sql.query<{ id: string; version: OcppVersion }>(
    `select s.id::text as id, coalesce(c.ocpp_version, s.ocpp_version) as version
     from stations s left join station_connections c on c.station_id = s.id where s.charge_point_id = $1 and s.org_id = $2`,
    [chargePointId, orgId],
  );
  if (station === undefined)
    throw new ProblemError("charge_point_not_found", `There is no charge point ${chargePointId}.`);
  return station;
}
