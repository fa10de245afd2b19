import type pg from "pg";
import { z } from "zod";
import { sqlOn } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf } from "../http/paging.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { A_NUMBER, stationListRoute } from "../station-items/station-list-route.ts";

const securityEvent = named(
  "SecurityEvent",
  z.strictObject({
    security_event_id: z.string(),
    charge_point_id: z.string(),
    type: z.string().describe("OCPP's name of the event, or the vendor's"),
    critical: z.boolean().describe("OCPP calls it critical: it makes the webhook event `alert.triggered`"),
    source: z.enum(["charge_point", "csms"]).describe("csms: noticed by the gateway"),
    tech_info: z.string().nullable(),
    occurred_at: isoTime().nullable().describe("the charge point's clock; null: it sent no time that can be read"),
    received_at: isoTime(),
  }),
);

const example: z.output<typeof securityEvent> = {
  security_event_id: "4711",
  charge_point_id: "cp_01hxab1c2d3e",
  type: "TamperDetectionActivated",
  critical: true,
  source: "charge_point",
  tech_info: "cover opened",
  occurred_at: "2026-05-01T10:29:41.000Z",
  received_at: "2026-05-01T10:29:42.120Z",
};

const filters = {
  critical: z.boolean().optional().describe("only the critical ones, or only the others"),
  type: z.string().min(1).max(100).optional().describe("exact"),
};

interface EventRow {
  cursor: string;
  charge_point_id: string;
  type: string;
  critical: boolean;
  source: "station" | "csms";
  tech_info: string | null;
  occurred_at: Date | null;
  received_at: Date;
}

const COLUMNS = `select e.id::text as cursor, s.charge_point_id, e.type, e.critical, e.source, e.tech_info, e.occurred_at, e.received_at
  from security_events e join stations s on s.id = e.station_id`;

const view = (row: EventRow): z.output<typeof securityEvent> => ({
  security_event_id: row.cursor,
  charge_point_id: row.charge_point_id,
  type: row.type,
  critical: row.critical,
  source: row.source === "station" ? "charge_point" : "csms",
  tech_info: row.tech_info,
  occurred_at: row.occurred_at && isoMillis(row.occurred_at),
  received_at: isoMillis(row.received_at),
});

/** What charge points and gateways noticed of security: kept append-only. */
export function securityEventRoutes(deps: { pool: pg.Pool }): Route[] {
  return [
    stationListRoute(deps, {
      path: "security-events",
      operationId: "listSecurityEvents",
      summary: "The security events of a charge point, newest first",
      filters,
      item: securityEvent,
      example,
      cursor: A_NUMBER,
      rows: (sql, { stationId, after, limit, filters: { critical, type } }) =>
        sql.query<EventRow>(
          `${COLUMNS} where e.station_id = $1 and ($2::bigint is null or e.id < $2::bigint)
             and ($3::boolean is null or e.critical = $3::boolean) and ($4::text is null or e.type = $4::text)
           order by e.id desc limit $5`,
          [stationId, after, critical ?? null, type ?? null, limit],
        ),
      view,
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/security-events",
      operationId: "listOrganizationSecurityEvents",
      summary: "The security events of all charge points of the organisation, newest first",
      tag: "Charge points",
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      query: z.strictObject({ ...pageQuery, ...filters }),
      responses: {
        200: {
          description: "A page of security events",
          schema: z.object({ security_events: z.array(securityEvent), ...pageAnswer }),
          example: { security_events: [example], next_cursor: null, has_more: false },
        },
      },
      async handle({ caller, query }) {
        const [after = null] =
          query.cursor === undefined ? [] : decodeCursor(query.cursor, 1, ([key = ""]) => A_NUMBER.test(key));
        const rows = await sqlOn(deps.pool).query<EventRow>(
          `${COLUMNS} where e.org_id = $1 and ($2::bigint is null or e.id < $2::bigint)
             and ($3::boolean is null or e.critical = $3::boolean) and ($4::text is null or e.type = $4::text)
           order by e.id desc limit $5`,
          [caller.orgId, after, query.critical ?? null, query.type ?? null, query.limit + 1],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.cursor]);
        return { status: 200, body: { security_events: page.map(view), ...paging } };
      },
    }),
  ];
}
