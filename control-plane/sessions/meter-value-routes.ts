import { z } from "zod";
import type { Sql } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { shiftDecimal } from "../transactions/decimal-text.ts";
import type { ShapeMember } from "../transactions/meter-reading.ts";
import { int4Of } from "../transactions/read-fields.ts";
import { findSession } from "./session-routes.ts";
import { exactNumber } from "./session-view.ts";

const reading = z.object({
  sampled_at: isoTime().describe("by the charge point's clock; when it cannot be read, received_at"),
  received_at: isoTime().describe("by our clock"),
  samples: z.array(
    z.object({
      measurand: z.string(),
      phase: z.string().nullable(),
      location: z.string(),
      context: z.string(),
      unit: z
        .string()
        .nullable()
        .describe("Wh where the charge point said kWh, W where it said kW; null: it named none"),
      value: z.number().nullable().describe("exact, in `unit`; null: the charge point sent no number"),
      raw: z.string().describe("as the charge point sent it, in its own unit"),
    }),
  ),
});

interface ReadingRow {
  sampled_at: Date;
  sampled_at_text: string;
  received_at: Date;
  connector: number;
  shape: number;
  vals: (string | null)[];
  raw: (string | null)[] | null;
  members: string;
}

/** What a charging session's meter said, reading by reading. */
export function meterValueRoutes({ sql }: { sql: Sql }): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/sessions/{session_id}/meter-values",
      operationId: "listSessionMeterValues",
      summary: "The meter readings of a session, oldest first",
      description: "Kept for METER_VALUES_DAYS; the session itself, its energy and what its meter signed stay.",
      tag: "Sessions",
      access: { kind: "organization", scope: "read:sessions" },
      rateLimit: "read",
      params: z.strictObject({ session_id: z.string().max(64) }),
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "A page of readings",
          schema: z.object({ meter_values: z.array(reading), ...pageAnswer }),
          example: {
            meter_values: [
              {
                sampled_at: "2026-05-01T10:34:12.000Z",
                received_at: "2026-05-01T10:34:12.513Z",
                samples: [
                  {
                    measurand: "Energy.Active.Import.Register",
                    phase: null,
                    location: "Outlet",
                    context: "Sample.Periodic",
                    unit: "Wh",
                    value: 1_204_620,
                    raw: "1204.62",
                  },
                ],
              },
            ],
            next_cursor: null,
            has_more: false,
          },
        },
      },
      problems: ["not_found"],
      async handle({ caller, params, query }) {
        const of = await findSession(sql, caller.orgId, params.session_id);
        const [time, connector, shape] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 3, isPlace);
        const rows = await sql.query<ReadingRow>(
          `select m.sampled_at, to_char(m.sampled_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as sampled_at_text, m.received_at,
                  m.connector, m.shape, m.vals::text[] as vals, m.raw, h.members
           from meter_values m join meter_shapes h on h.id = m.shape
           where m.station_id = $1 and m.transaction_id = $2
             and ($3::timestamptz is null or (m.sampled_at, m.connector, m.shape) > ($3::timestamptz, $4::int, $5::int))
           order by m.sampled_at, m.connector, m.shape limit $6`,
          [of.station_id, of.id, time ?? null, connector ?? null, shape ?? null, query.limit + 1],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [
          row.sampled_at_text,
          String(row.connector),
          String(row.shape),
        ]);
        return { status: 200, body: { meter_values: page.map(readingView), ...paging } };
      },
    }),
  ];
}

const isPlace = ([time = "", ...rest]: string[]): boolean =>
  timeAndId([time]) && rest.every((key) => /^-?\d{1,10}$/.test(key) && int4Of(Number(key)) !== undefined);

function readingView(row: ReadingRow) {
  const members = JSON.parse(row.members) as ShapeMember[];
  return {
    sampled_at: isoMillis(row.sampled_at),
    received_at: isoMillis(row.received_at),
    samples: members.map(({ shift, ...member }, place) => {
      const value = row.vals[place] ?? null;
      // The text is kept only where it does not follow from value and unit.
      const raw = row.raw?.[place] ?? (value === null ? "" : (shiftDecimal(value, -shift) ?? value));
      return { ...member, value: exactNumber(value), raw };
    }),
  };
}
