import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { z } from "zod";
import { newestAttempt } from "../connection-attempts/connection-evidence.ts";
import { sqlOf } from "../database.ts";
import { pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import {
  chargePoint,
  chargePointDetail,
  chargePointStatus,
  chargePointView,
  chargePointWithDetail,
  type ChargePointRow,
  SELECT_CHARGE_POINTS,
} from "./charge-point-view.ts";
import { connectedNow } from "./presence.ts";
import { retireChargePoint, type RetirementDeps } from "./retire-charge-point.ts";

export interface OperatorChargePointDeps extends RetirementDeps {
  redis: RedisConnection;
  publicOcppUrl: string;
}

/** The operator's charge points: the list with its filters, and each in detail. */
export function operatorChargePointRoutes(deps: OperatorChargePointDeps): Route[] {
  const { orm, redis, publicOcppUrl } = deps;
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points",
      operationId: "listChargePoints",
      summary: "List the organisation's charge points, newest first",
      tag: "Charge points",
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      query: z.strictObject({
        ...pageQuery,
        project_id: z.string().max(64).optional(),
        status: chargePointStatus.optional(),
        online: z.boolean().optional().describe("by the newest connection on record"),
        ocpp_version: z.enum(OCPP_VERSIONS).optional(),
        vendor: z.string().max(100).optional().describe("exact, in any case"),
        q: z.string().min(1).max(100).optional().describe("part of charge_point_id, serial number, vendor or model"),
      }),
      responses: {
        200: {
          description: "A page of charge points",
          schema: z.object({ charge_points: z.array(chargePoint), ...pageAnswer }),
        },
      },
      async handle({ caller, query }) {
        const [time, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await sqlOf(orm.em.fork()).query<ChargePointRow>(
          `${SELECT_CHARGE_POINTS}
           where s.org_id = $1 and s.retired_at is null
             and ($2::timestamptz is null or (s.created_at, s.charge_point_id) < ($2::timestamptz, $3::text))
             and ($4::text is null or s.project_id = $4::text)
             and ($5::text is null or $5::text = case when c.status is null then 'registered' when c.status = 'completed' then 'commissioned' else 'commissioning' end)
             and ($6::boolean is null or $6::boolean = (k.station_id is not null and k.closed_at is null))
             and ($7::text is null or s.ocpp_version = $7::text)
             and ($8::text is null or lower(s.vendor) = lower($8::text))
             and ($9::text is null or strpos(lower(concat_ws(' ', s.charge_point_id, s.serial_number, s.vendor, s.model)), lower($9::text)) > 0)
           order by s.created_at desc, s.charge_point_id desc limit $10`,
          [
            caller.orgId,
            time ?? null,
            id ?? null,
            query.project_id ?? null,
            query.status ?? null,
            query.online ?? null,
            query.ocpp_version ?? null,
            query.vendor ?? null,
            query.q ?? null,
            query.limit + 1,
          ],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.created_at_text, row.charge_point_id]);
        const connected = await connectedNow(
          redis,
          page.map((row) => row.identity),
        );
        return { status: 200, body: { charge_points: page.map((row) => chargePointView(row, connected)), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}",
      operationId: "getChargePoint",
      summary: "One charge point in detail",
      tag: "Charge points",
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params: z.strictObject({ charge_point_id: z.string() }),
      responses: { 200: { description: "The charge point", schema: chargePointWithDetail } },
      problems: ["charge_point_not_found"],
      async handle({ caller, params }) {
        const sql = sqlOf(orm.em.fork());
        const [row] = await sql.query<ChargePointRow>(
          `${SELECT_CHARGE_POINTS} where s.org_id = $1 and s.charge_point_id = $2 and s.retired_at is null`,
          [caller.orgId, params.charge_point_id],
        );
        if (row === undefined) throw noSuchChargePoint(params.charge_point_id);
        return {
          status: 200,
          body: await chargePointDetail(
            sql,
            row,
            await connectedNow(redis, [row.identity]),
            publicOcppUrl,
            await newestAttempt(redis, row.identity as StationIdentity),
          ),
        };
      },
    }),
    defineRoute({
      method: "delete",
      path: "/api/v1/charge-points/{charge_point_id}",
      operationId: "retireChargePoint",
      summary: "Retire a charge point",
      description:
        "It is disconnected and refused from then on, shown and counted no more, and its serial number can be registered again. What it sent, and certificates that name it, stay.",
      tag: "Charge points",
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      params: z.strictObject({ charge_point_id: z.string() }),
      responses: { 204: { description: "Retired" } },
      problems: ["charge_point_not_found"],
      async handle({ caller, params }) {
        const outcome = await retireChargePoint(deps, { orgId: caller.orgId }, params.charge_point_id);
        if (!outcome.ok) throw noSuchChargePoint(params.charge_point_id);
        return { status: 204 };
      },
    }),
  ];
}

const noSuchChargePoint = (id: string) => new ProblemError("charge_point_not_found", `There is no charge point ${id}.`);
