import type { MikroORM } from "@mikro-orm/postgresql";
import { z } from "zod";
import { sqlOf } from "../database.ts";
import { givenTime, isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";

const TYPES = { 2: "CALL", 3: "CALLRESULT", 4: "CALLERROR", 5: "CALLRESULTERROR", 6: "SEND" } as const;
const direction = z.enum(["from_charge_point", "to_charge_point"]);
const type = z.enum(["CALL", "CALLRESULT", "CALLERROR", "CALLRESULTERROR", "SEND", "unreadable"]);

const message = named(
  "OcppMessage",
  z.object({
    received_at: isoTime(),
    direction,
    type,
    action: z.string().nullable(),
    message_id: z.string().nullable(),
    raw: z.string().describe("the frame's text"),
    answer: z
      .string()
      .nullable()
      .describe("the text of the answer that we gave, where it does not follow from the action alone"),
    breaks_schema: z.boolean(),
    connection: z.number().int().describe("grows with each connection of the unit"),
    seq: z.number().int().describe("number within the connection, both directions together"),
  }),
);

interface MessageRow {
  epoch: string;
  seq: number;
  received_at: Date;
  direction: number;
  flagged: boolean;
  action: string | null;
  message_id: string | null;
  raw: string;
  answer: string | null;
}

/** The OCPP frames of a charge point as they travelled: what one reads when a unit and a manual disagree. */
export function messageLogRoutes({ orm }: { orm: MikroORM }): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/messages",
      operationId: "listMessages",
      summary: "The OCPP frames of a charge point, newest first",
      description:
        "Frames are shown as they travelled, except that known secret fields are masked. Heartbeats are not kept here.",
      tag: "Charge points",
      access: { kind: "organization", scope: "read:messages" },
      rateLimit: "read",
      params: z.strictObject({ charge_point_id: z.string() }),
      query: z.strictObject({
        ...pageQuery,
        from: givenTime().optional(),
        to: givenTime().optional().describe("exclusive"),
        action: z.string().max(64).optional(),
        direction: direction.optional(),
        message_id: z.string().max(36).optional(),
        order: z.enum(["newest_first", "oldest_first"]).default("newest_first"),
      }),
      responses: {
        200: {
          description: "A page of frames",
          schema: z.object({
            messages: z.array(message),
            ...pageAnswer,
          }),
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params, query }) {
        const sql = sqlOf(orm.em.fork());
        const [station] = await sql.query<{ id: string }>(
          `select id::text as id from stations where charge_point_id = $1 and org_id = $2`,
          [params.charge_point_id, caller.orgId],
        );
        if (station === undefined)
          throw new ProblemError("charge_point_not_found", `There is no charge point ${params.charge_point_id}.`);
        const [epoch, seq] =
          query.cursor === undefined
            ? []
            : decodeCursor(query.cursor, 2, (keys) => keys.every((key) => /^\d{1,15}$/.test(key)));
        // (epoch, seq) is the order of a station's frames, and the order of the primary key.
        const [compare, order] = query.order === "oldest_first" ? [">", "asc"] : ["<", "desc"];
        const rows = await sql.query<MessageRow>(
          `select epoch::text as epoch, seq, received_at, direction, flagged, action, message_id, raw, answer from message_log
           where station_id = $1 and ($2::bigint is null or (epoch, seq) ${compare} ($2::bigint, $3::bigint))
             and ($4::timestamptz is null or received_at >= $4::timestamptz) and ($5::timestamptz is null or received_at < $5::timestamptz)
             and ($6::text is null or action = $6::text) and ($7::smallint is null or direction = $7::smallint)
             and ($8::text is null or message_id = $8::text)
           order by epoch ${order}, seq ${order} limit $9`,
          [
            station.id,
            epoch ?? null,
            seq ?? null,
            query.from ?? null,
            query.to ?? null,
            query.action ?? null,
            query.direction === undefined ? null : query.direction === "from_charge_point" ? 0 : 1,
            query.message_id ?? null,
            query.limit + 1,
          ],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.epoch, String(row.seq)]);
        return { status: 200, body: { messages: page.map(messageView), ...paging } };
      },
    }),
  ];
}

function messageView(row: MessageRow) {
  const number = /^\s*\[\s*([2-6])\s*,/.exec(row.raw)?.[1];
  return {
    received_at: isoMillis(row.received_at),
    direction: row.direction === 0 ? "from_charge_point" : "to_charge_point",
    type: number === undefined ? "unreadable" : TYPES[Number(number) as keyof typeof TYPES],
    action: row.action,
    message_id: row.message_id,
    raw: row.raw,
    answer: row.answer,
    breaks_schema: row.flagged,
    connection: Number(row.epoch),
    seq: row.seq,
  };
}
