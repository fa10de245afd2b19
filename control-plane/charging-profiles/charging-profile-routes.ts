import type pg from "pg";
import { z } from "zod";
import { commandableStation } from "../commands/find-commandable-station.ts";
import { sqlOn } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf } from "../http/paging.ts";
import { defineRoute, type Route } from "../http/route.ts";

const chargingProfile = named(
  "ChargingProfile",
  z.strictObject({
    profile_id: z.int(),
    evse_id: z.int().describe("1.6: the connector; 0: the whole charge point"),
    purpose: z.string(),
    stack_level: z.int(),
    kind: z.string(),
    transaction_id: z.string().nullable(),
    profile: z.unknown().describe("as OCPP has it"),
    source: z.enum(["command", "report"]).describe("command: it accepted this one; report: it said that it has it"),
    limit_source: z.string().nullable().describe("of reported ones: who set it"),
    command_id: z.string().nullable(),
    recorded_at: isoTime(),
  }),
);
const chargingReport = named(
  "ChargingReport",
  z.strictObject({
    kind: z.enum(["limit", "ev_needs", "ev_schedule"]),
    evse_id: z.int().describe("0: the whole charging station"),
    limit_source: z.string().nullable().describe("only of limits: who set it"),
    message: z.unknown().describe("the message as it came"),
    received_at: isoTime(),
  }),
);

interface ProfileRow extends Omit<z.output<typeof chargingProfile>, "profile_id" | "recorded_at"> {
  profile_id: string;
  recorded_at: Date;
}

const TAG = "Smart charging";
const access = { kind: "organization", scope: "read:charge_points" } as const;
const params = z.strictObject({ charge_point_id: z.string().min(1).max(64) });
const PROFILE_KEY = /^-?\d{1,18}$/;
const MAX_REPORTS = 1_000;

/** What limits a charge point's power: its profiles, and what it says of other limits and of the vehicle. */
export function chargingProfileRoutes({ pool }: { pool: pg.Pool }): Route[] {
  const sql = sqlOn(pool);
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/charging-profiles",
      operationId: "listChargingProfiles",
      summary: "Charging profiles that a charge point has",
      description:
        "As it accepted them (SetChargingProfile, remote starts) or reported them (GetChargingProfiles, OCPP 2.x). Profiles that were cleared, and those of transactions that ended, are not listed.",
      tag: TAG,
      access,
      rateLimit: "read",
      params,
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "One page, by profile id",
          schema: z.strictObject({ charging_profiles: z.array(chargingProfile), ...pageAnswer }),
          example: {
            charging_profiles: [
              {
                profile_id: 9001,
                evse_id: 1,
                purpose: "TxDefaultProfile",
                stack_level: 0,
                kind: "Absolute",
                transaction_id: null,
                profile: { id: 9001, stackLevel: 0, chargingProfilePurpose: "TxDefaultProfile" },
                source: "command",
                limit_source: null,
                command_id: "cmd_4tq0v8yq2m1xkz7c5h9d3rwbne",
                recorded_at: "2026-05-01T10:23:00.000Z",
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
        const after =
          query.cursor === undefined ? undefined : decodeCursor(query.cursor, 1, ([id = ""]) => PROFILE_KEY.test(id));
        const rows = await sql.query<ProfileRow>(
          `select profile_id::text, evse_id, purpose, stack_level, kind, transaction_id, profile, source, limit_source, command_id, recorded_at
           from charging_profiles p
           where station_id = $1 and cleared_at is null and ($2::bigint is null or profile_id > $2)
             and not exists (select 1 from transactions t where t.station_id = p.station_id and t.transaction_id = p.transaction_id
                             and t.state = 'ended')
           order by p.profile_id limit $3`,
          [station.id, after?.[0] ?? null, query.limit + 1],
        );
        const { page, ...rest } = pageOf(rows, query.limit, (row) => [row.profile_id]);
        const charging_profiles = page.map((row) => ({
          ...row,
          profile_id: Number(row.profile_id),
          recorded_at: isoMillis(row.recorded_at),
        }));
        return { status: 200, body: { charging_profiles, ...rest } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/charging-limits",
      operationId: "listChargingLimits",
      summary: "What a charge point says of limits that others set, and of the vehicle's needs (OCPP 2.x)",
      description:
        "The last word of each: NotifyChargingLimit until ClearedChargingLimit, NotifyEVChargingNeeds, NotifyEVChargingSchedule.",
      tag: TAG,
      access,
      rateLimit: "read",
      params,
      responses: {
        200: {
          description: "All of them",
          schema: z.strictObject({ charging_limits: z.array(chargingReport) }),
          example: {
            charging_limits: [
              {
                kind: "limit",
                evse_id: 0,
                limit_source: "EMS",
                message: { chargingLimit: { chargingLimitSource: "EMS" } },
                received_at: "2026-05-01T10:23:00.000Z",
              },
            ],
          },
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id } }) {
        const station = await commandableStation(sql, caller.orgId, charge_point_id);
        const rows = await sql.query<{ received_at: Date }>(
          `select kind, evse_id, nullif(limit_source, '') as limit_source, payload as message, received_at
           from charging_reports where station_id = $1 and cleared_at is null order by kind, evse_id, limit_source limit $2`,
          [station.id, MAX_REPORTS],
        );
        const charging_limits = rows.map((row) => ({ ...row, received_at: isoMillis(row.received_at) }));
        return { status: 200, body: { charging_limits } };
      },
    }),
  ];
}
