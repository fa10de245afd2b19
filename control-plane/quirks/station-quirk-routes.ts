import type { QuirkSettings } from "@dynamo-csms/proto/quirks";
import type pg from "pg";
import { z } from "zod";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { type RegistryDeps, requestRegistryWrite, writeRegistryNow } from "../stations/station-registry.ts";
import { type QuirkOverrides, quirkOverrides, quirkSettings } from "./quirk-settings.ts";
import { stationUsage, usageOfStation } from "./quirk-usage.ts";

const PATH = "/api/v1/charge-points/{charge_point_id}/quirks";
const TAG = "Quirk profiles";
const params = z.strictObject({ charge_point_id: z.string().max(64) });
const answer = z.object({
  charge_point_id: z.string(),
  in_force: quirkSettings,
  quirk_profile: z.object({ quirk_profile_id: z.string(), name: z.string() }).nullable(),
  overrides: quirkOverrides.describe("instead of the profile, quirk by quirk"),
  matched_by: z
    .object({
      vendor: z.string().nullable(),
      model: z.string().nullable(),
      firmware: z.string().nullable(),
      source: z.enum(["boot", "registration"]),
    })
    .describe("what profiles are held against: the last BootNotification, or the registration before the first"),
  usage: stationUsage,
});
const EXAMPLE = {
  charge_point_id: "cp_01hxab1c2d3e",
  in_force: { over_long_strings: { mode: "accept", max_length: 100 } },
  quirk_profile: { quirk_profile_id: "quirk_01hxab1c2d3e", name: "Vendor X before 2.0" },
  overrides: { odd_timestamps: null },
  matched_by: { vendor: "Vendor X", model: "X1", firmware: "1.8", source: "boot" },
  usage: [
    {
      quirk: "over_long_strings",
      mode: "accept",
      count: 12,
      last_at: "2026-05-02T08:00:00.000Z",
      last_detail: "BootNotification /chargePointModel",
    },
  ],
};

interface Row {
  id: string;
  in_force: QuirkSettings | null;
  overrides: QuirkOverrides | null;
  profile_id: string | null;
  profile_name: string | null;
  vendor: string | null;
  model: string | null;
  firmware: string | null;
  booted: boolean;
}

/** What is forgiven one charge point, why, and how often it was needed. */
export function stationQuirkRoutes({ pool, registry }: { pool: pg.Pool; registry: RegistryDeps }): Route[] {
  const sql = sqlOn(pool);
  return [
    defineRoute({
      method: "get",
      path: PATH,
      operationId: "getChargePointQuirks",
      summary: "What is forgiven a charge point, and how often that was needed",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params,
      responses: { 200: { description: "Its quirks", schema: answer, example: EXAMPLE } },
      problems: ["charge_point_not_found"],
      handle: async ({ caller, params: { charge_point_id } }) => ({
        status: 200,
        body: await quirksOf(sql, caller.orgId, charge_point_id),
      }),
    }),
    defineRoute({
      method: "put",
      path: PATH,
      operationId: "setChargePointQuirks",
      summary: "Set what one charge point has instead of its profile",
      description:
        "Replaces the overrides whole: `{}` leaves the charge point to its profile, null switches a quirk off that the profile has on. In force at once, without a reconnect.",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      params,
      body: z.strictObject({ overrides: quirkOverrides }),
      bodyExample: { overrides: { odd_timestamps: null, ping_interval: { mode: "accept", seconds: 20 } } },
      responses: { 200: { description: "Its quirks", schema: answer, example: EXAMPLE } },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id }, body }) {
        const stationId = await setOverrides(pool, caller.orgId, charge_point_id, body.overrides);
        if (stationId === undefined) throw noSuchChargePoint(charge_point_id);
        await writeRegistryNow(registry, stationId);
        return { status: 200, body: await quirksOf(sql, caller.orgId, charge_point_id) };
      },
    }),
  ];
}

/** @returns stations.id; undefined: the organisation has no such station. */
async function setOverrides(
  pool: pg.Pool,
  orgId: string,
  chargePointId: string,
  overrides: QuirkOverrides,
): Promise<string | undefined> {
  return inTransaction(pool, async (sql) => {
    const [station] = await sql.query<{ id: string }>(
      `select id::text as id from stations where org_id = $1 and charge_point_id = $2 and retired_at is null for no key update`,
      [orgId, chargePointId],
    );
    if (station === undefined) return undefined;
    if (Object.keys(overrides).length === 0)
      await sql.query("delete from station_quirks where station_id = $1", [station.id]);
    else
      await sql.query(
        `insert into station_quirks (station_id, overrides) values ($1, $2)
         on conflict (station_id) do update set overrides = excluded.overrides, updated_at = now()`,
        [station.id, JSON.stringify(overrides)],
      );
    await requestRegistryWrite(sql, station.id);
    return station.id;
  });
}

async function quirksOf(sql: Sql, orgId: string, chargePointId: string): Promise<z.output<typeof answer>> {
  const [row] = await sql.query<Row>(
    `select s.id::text as id, s.quirks as in_force, o.overrides, p.id as profile_id, p.name as profile_name,
            coalesce(b.vendor, s.vendor) as vendor, coalesce(b.model, s.model) as model, b.firmware_version as firmware, b.station_id is not null as booted
     from stations s
     left join station_boots b on b.station_id = s.id
     left join station_quirks o on o.station_id = s.id
     left join quirk_profiles p on p.id = s.quirk_profile and p.org_id = s.org_id
     where s.org_id = $1 and s.charge_point_id = $2 and s.retired_at is null`,
    [orgId, chargePointId],
  );
  if (row === undefined) throw noSuchChargePoint(chargePointId);
  return {
    charge_point_id: chargePointId,
    in_force: row.in_force ?? {},
    quirk_profile:
      row.profile_id === null || row.profile_name === null
        ? null
        : { quirk_profile_id: row.profile_id, name: row.profile_name },
    overrides: row.overrides ?? {},
    matched_by: {
      vendor: row.vendor,
      model: row.model,
      firmware: row.firmware,
      source: row.booted ? "boot" : "registration",
    },
    usage: await usageOfStation(sql, row.id),
  };
}

const noSuchChargePoint = (id: string) => new ProblemError("charge_point_not_found", `There is no charge point ${id}.`);
