import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { z } from "zod";
import { newestAttempt } from "../connection-attempts/connection-evidence.ts";
import { sqlOf } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { notAssigned } from "../projects/project-problems.ts";
import { changeChargePoint, rotatePassword } from "./change-charge-point.ts";
import {
  chargePoint,
  chargePointDetail,
  chargePointView,
  chargePointWithDetail,
  type ChargePointRow,
  SELECT_CHARGE_POINTS,
} from "./charge-point-view.ts";
import { connectedNow } from "./presence.ts";
import { retireChargePoint, type RetirementDeps } from "./retire-charge-point.ts";
import { location, unit } from "./unit-fields.ts";

export interface ChargePointRoutesDeps extends RetirementDeps {
  redis: RedisConnection;
  publicOcppUrl: string;
}

const TAG = "Installer";
const chargePointId = z.strictObject({ charge_point_id: z.string() });

/** For an installer a unit exists while they are assigned to its project. */
const notYours = (id: string) => new ProblemError("charge_point_not_found", `You have no charge point ${id}.`);
const handedOver = () => new ProblemError("project_handed_over", "The project of this charge point was handed over.");
const MINE = `s.retired_at is null and exists (select 1 from project_installers a where a.project_id = s.project_id and a.installer_id = $1)`;

/** Looking after the units of a project, by its installers. */
export function installerChargePointRoutes(deps: ChargePointRoutesDeps): Route[] {
  const { orm, redis, publicOcppUrl } = deps;
  const findMine = async (installerId: string, id: string): Promise<ChargePointRow> => {
    const [row] = await sqlOf(orm.em.fork()).query<ChargePointRow>(
      `${SELECT_CHARGE_POINTS} where ${MINE} and s.charge_point_id = $2`,
      [installerId, id],
    );
    if (row === undefined) throw notYours(id);
    return row;
  };
  const detail = async (row: ChargePointRow) =>
    chargePointDetail(
      sqlOf(orm.em.fork()),
      row,
      await connectedNow(redis, [row.identity]),
      publicOcppUrl,
      await newestAttempt(redis, row.identity as StationIdentity),
    );

  return [
    defineRoute({
      method: "get",
      path: "/api/v1/installer/projects/{project_id}/charge-points",
      operationId: "listInstallerChargePoints",
      summary: "List the charge points of your project, oldest first, with their connection and commissioning",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "read",
      params: z.strictObject({ project_id: z.string() }),
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "A page of charge points",
          schema: z.object({ charge_points: z.array(chargePoint), ...pageAnswer }),
        },
      },
      problems: ["project_not_found"],
      async handle({ caller, params, query }) {
        const sql = sqlOf(orm.em.fork());
        const assigned = await sql.query(
          `select 1 from project_installers where project_id = $1 and installer_id = $2`,
          [params.project_id, caller.installerId],
        );
        if (assigned.length === 0) throw notAssigned(params.project_id);
        const [time, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await sql.query<ChargePointRow>(
          `${SELECT_CHARGE_POINTS} where s.project_id = $1 and s.retired_at is null
             and ($2::timestamptz is null or (s.created_at, s.charge_point_id) > ($2::timestamptz, $3::text))
           order by s.created_at, s.charge_point_id limit $4`,
          [params.project_id, time ?? null, id ?? null, query.limit + 1],
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
      path: "/api/v1/installer/charge-points/{charge_point_id}",
      operationId: "getInstallerChargePoint",
      summary: "One charge point: is it connected, and what did it say last",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "read",
      params: chargePointId,
      responses: { 200: { description: "The charge point", schema: chargePointWithDetail } },
      problems: ["charge_point_not_found"],
      handle: async ({ caller, params }) => ({
        status: 200,
        body: await detail(await findMine(caller.installerId, params.charge_point_id)),
      }),
    }),
    defineRoute({
      method: "patch",
      path: "/api/v1/installer/charge-points/{charge_point_id}",
      operationId: "updateChargePoint",
      summary: "Correct what was registered; what is not named stays",
      description: "After a change of ocpp_version enter the new ocpp_endpoint at the unit.",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "write",
      params: chargePointId,
      body: z.strictObject({
        serial_number: unit.serial_number.optional(),
        model: unit.model.optional(),
        vendor: unit.vendor.optional(),
        ocpp_version: unit.ocpp_version.optional(),
        max_power_kw: unit.max_power_kw.nullable().optional(),
        connector_count: unit.connector_count.optional(),
        location: location.nullable().optional(),
      }),
      bodyExample: { connector_count: 3 },
      responses: { 200: { description: "The charge point", schema: chargePointWithDetail } },
      problems: ["charge_point_not_found", "project_handed_over", "duplicate_serial_number"],
      async handle({ caller, params, body }) {
        const outcome = await changeChargePoint(deps, caller.installerId, params.charge_point_id, body);
        if (outcome.ok)
          return { status: 200, body: await detail(await findMine(caller.installerId, params.charge_point_id)) };
        switch (outcome.error.kind) {
          case "not-found":
            throw notYours(params.charge_point_id);
          case "handed-over":
            throw handedOver();
          case "duplicate":
            throw new ProblemError(
              "duplicate_serial_number",
              `Another unit of this project has the serial number ${body.serial_number}.`,
            );
        }
      },
    }),
    defineRoute({
      method: "delete",
      path: "/api/v1/installer/charge-points/{charge_point_id}",
      operationId: "removeChargePoint",
      summary: "Take a charge point out of your project that was registered by mistake",
      description:
        "Possible until the handover. The unit is disconnected and refused from then on, counts no more, and its serial number can be registered again. What it sent stays on record.",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "write",
      params: chargePointId,
      responses: { 204: { description: "Taken out" } },
      problems: ["charge_point_not_found", "project_handed_over"],
      async handle({ caller, params }) {
        const by = { installerId: caller.installerId };
        const outcome = await retireChargePoint(deps, by, params.charge_point_id);
        if (!outcome.ok) throw outcome.error.kind === "handed-over" ? handedOver() : notYours(params.charge_point_id);
        return { status: 204 };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/installer/charge-points/{charge_point_id}/rotate-password",
      operationId: "rotateProvisioningPassword",
      summary: "Get a new provisioning password; the old one is refused at once",
      description: "A unit that is connected is disconnected: enter the new password at the unit.",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "write",
      idempotent: true,
      params: chargePointId,
      responses: {
        200: {
          description: "The new password, shown once",
          schema: z.object({ charge_point_id: z.string(), provisioning_password: z.string(), rotated_at: isoTime() }),
        },
      },
      problems: ["charge_point_not_found", "project_handed_over"],
      async handle({ caller, params }) {
        const outcome = await rotatePassword(deps, caller.installerId, params.charge_point_id);
        if (!outcome.ok) throw outcome.error.kind === "handed-over" ? handedOver() : notYours(params.charge_point_id);
        const { password, rotatedAt } = outcome.value;
        return {
          status: 200,
          headers: { "cache-control": "no-store" },
          body: {
            charge_point_id: params.charge_point_id,
            provisioning_password: password,
            rotated_at: isoSeconds(rotatedAt),
          },
        };
      },
    }),
  ];
}
