import type pg from "pg";
import { z } from "zod";
import { commandableStation } from "../commands/find-commandable-station.ts";
import { sqlOn } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { defineRoute, type Route } from "../http/route.ts";

const request = z.strictObject({
  evse_id: z.int().nullable().describe("null: the whole charge point, and OCPP 1.6"),
  connector_id: z.int().nullable().describe("null: the whole EVSE or charge point"),
  wanted: z.enum(["Operative", "Inoperative"]),
  answer: z.enum(["Accepted", "Scheduled"]).describe("Scheduled: after the transaction that ran then"),
  command_id: z.string(),
  recorded_at: isoTime(),
});
type RequestRow = Omit<z.output<typeof request>, "recorded_at"> & { recorded_at: Date };

/** Ids of connectors are the station's word: more than this is nonsense. */
const MAX_ROWS = 1_000;

/** What charge points were last told to be: in service or not. */
export function availabilityRoute({ pool }: { pool: pg.Pool }): Route {
  const sql = sqlOn(pool);
  return defineRoute({
    method: "get",
    path: "/api/v1/charge-points/{charge_point_id}/availability",
    operationId: "getAvailability",
    summary: "The last ChangeAvailability that a charge point took on, per connector",
    description: "What connectors are now is their status; this is what was asked of them, and whether it had to wait.",
    tag: "Charge points",
    access: { kind: "organization", scope: "read:charge_points" },
    rateLimit: "read",
    params: z.strictObject({ charge_point_id: z.string().min(1).max(64) }),
    responses: {
      200: {
        description: "One entry per connector that was ever told",
        schema: z.strictObject({ availability: z.array(request) }),
        example: {
          availability: [
            {
              evse_id: 1,
              connector_id: null,
              wanted: "Inoperative",
              answer: "Scheduled",
              command_id: "cmd_4tq0v8yq2m1xkz7c5h9d3rwbne",
              recorded_at: "2026-05-01T10:23:00.000Z",
            },
          ],
        },
      },
    },
    problems: ["charge_point_not_found"],
    async handle({ caller, params }) {
      const station = await commandableStation(sql, caller.orgId, params.charge_point_id);
      const rows = await sql.query<RequestRow>(
        `select nullif(evse_id, 0) as evse_id, nullif(connector_id, 0) as connector_id, wanted, answer, command_id, recorded_at
         from availability_requests where station_id = $1 order by availability_requests.evse_id, availability_requests.connector_id limit $2`,
        [station.id, MAX_ROWS],
      );
      const availability = rows.map((row) => ({ ...row, recorded_at: isoMillis(row.recorded_at) }));
      return { status: 200, body: { availability } };
    },
  });
}
