import type pg from "pg";
import { z } from "zod";
import { isoTime, oneLine } from "../http/fields.ts";
import { isoMillis, isoSeconds } from "../http/iso-time.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { sqlOn } from "../database.ts";
import { ocppEndpoint } from "./charge-point-view.ts";
import { moveChargePoint } from "./move-charge-point.ts";
import { replaceHardware, type ReplacementDeps } from "./replace-hardware.ts";
import { unit } from "./unit-fields.ts";

export interface StationLifeDeps extends ReplacementDeps {
  pool: pg.Pool;
  publicOcppUrl: string;
}

const TAG = "Charge points";
const params = z.strictObject({ charge_point_id: z.string() });

const replaced = z.strictObject({
  charge_point_id: z.string(),
  ocpp_endpoint: z.string(),
  status: z.literal("registered"),
  provisioning_password: z.string().describe("shown now and never again"),
  replaced_at: isoTime(),
});

const hardwareEntry = z.strictObject({
  serial_number: z.string(),
  vendor: z.string(),
  model: z.string(),
  ocpp_version: z.string(),
  firmware_version: z.string().nullable(),
  removed_at: isoTime().nullable().describe("null: stands there now"),
  reason: z.string().nullable(),
});

/** What happens to a unit between its registration and its retirement: it is replaced, or moved to another project. */
export function stationLifeRoutes(deps: StationLifeDeps): Route[] {
  const sql = sqlOn(deps.pool);
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/charge-points/{charge_point_id}/replace",
      operationId: "replaceHardware",
      summary: "Put another unit in a broken one's place",
      description:
        "The charge point keeps its id, its OCPP identity and its sessions. The new unit gets a password of its own, boots as an unknown one and has to be commissioned; the old password ends at once.",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      idempotent: true,
      params,
      body: z.strictObject({
        serial_number: unit.serial_number,
        vendor: unit.vendor.optional(),
        model: unit.model.optional(),
        ocpp_version: unit.ocpp_version.optional(),
        connector_count: unit.connector_count.optional(),
        max_power_kw: unit.max_power_kw.optional(),
        security_profile: z
          .union([z.literal(1), z.literal(2), z.literal(3)])
          .optional()
          .describe("default: as before, but 2 in the place of 3, as the new unit has no certificate yet"),
        reason: oneLine(500).optional(),
      }),
      bodyExample: { serial_number: "SN-2026-00451", reason: "contactor welded" },
      responses: {
        200: {
          description: "Replaced",
          schema: replaced,
          example: {
            charge_point_id: "cp_01hxab1c2d3e",
            ocpp_endpoint: "wss://ocpp.example.com/ocpp/2.0.1/cp_01hxab1c2d3e",
            status: "registered",
            provisioning_password: "Xy7kQ2mN9pR4tV6wZ1aB",
            replaced_at: "2026-05-01T10:23:00Z",
          },
        },
      },
      problems: ["charge_point_not_found", "duplicate_serial_number"],
      async handle({ caller, params: { charge_point_id: id }, body }) {
        const outcome = await replaceHardware(deps, caller.orgId, id, body);
        if (!outcome.ok) throw outcome.error.kind === "duplicate" ? duplicate(body.serial_number) : noSuch(id);
        const [row] = await sql.query<{ ocpp_version: string; identity_spelling: string }>(
          `select ocpp_version, identity_spelling from stations where charge_point_id = $1`,
          [id],
        );
        if (row === undefined) throw noSuch(id);
        const body200 = {
          charge_point_id: id,
          ocpp_endpoint: ocppEndpoint(deps.publicOcppUrl, row.ocpp_version, row.identity_spelling),
          status: "registered",
          provisioning_password: outcome.value.password,
          replaced_at: isoSeconds(outcome.value.replacedAt),
        };
        return { status: 200, body: body200 };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/hardware",
      operationId: "listHardware",
      summary: "The units that stood in this place, newest first",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params,
      responses: {
        200: { description: "Units", schema: z.strictObject({ hardware: z.array(hardwareEntry) }), example: HARDWARE },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id: id } }) {
        const rows = await sql.query<Omit<z.input<typeof hardwareEntry>, "removed_at"> & { removed_at: Date | null }>(
          `select s.serial_number, s.vendor, s.model, s.ocpp_version, b.firmware_version, null::timestamptz as removed_at, null as reason
           from stations s left join station_boots b on b.station_id = s.id
           where s.charge_point_id = $1 and s.org_id = $2 and s.retired_at is null
           union all
           select h.serial_number, h.vendor, h.model, h.ocpp_version, h.firmware_version, h.removed_at, h.reason
           from station_hardware h join stations s on s.id = h.station_id
           where s.charge_point_id = $1 and s.org_id = $2 and s.retired_at is null
           order by removed_at desc nulls first`,
          [id, caller.orgId],
        );
        if (rows.length === 0) throw noSuch(id);
        const hardware = rows.map((row) => ({ ...row, removed_at: row.removed_at && isoMillis(row.removed_at) }));
        return { status: 200, body: { hardware } };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/charge-points/{charge_point_id}/move",
      operationId: "moveChargePoint",
      summary: "Move a charge point to another project, or out of all projects",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      idempotent: true,
      params,
      body: z.strictObject({ project_id: z.string().min(1).max(64).nullable().describe("null: out of all projects") }),
      bodyExample: { project_id: "proj_01hx5t6u7v8w" },
      responses: {
        200: {
          description: "Moved, or there already",
          schema: z.strictObject({ charge_point_id: z.string(), project_id: z.string().nullable() }),
          example: { charge_point_id: "cp_01hxab1c2d3e", project_id: "proj_01hx5t6u7v8w" },
        },
      },
      problems: ["charge_point_not_found", "project_not_found", "project_handed_over", "duplicate_serial_number"],
      async handle({ caller, params: { charge_point_id: id }, body: { project_id: projectId } }) {
        const outcome = await moveChargePoint(deps.pool, caller.orgId, id, projectId);
        if (!outcome.ok)
          switch (outcome.error.kind) {
            case "not-found":
              throw noSuch(id);
            case "no-such-project":
              throw new ProblemError("project_not_found", `There is no project ${projectId}.`);
            case "handed-over":
              throw new ProblemError("project_handed_over", `The project ${projectId} was handed over.`, {
                remedy: "Reopen it with POST /api/v1/projects/{project_id}/reopen, or choose another one.",
              });
            case "duplicate":
              throw duplicate();
          }
        return { status: 200, body: { charge_point_id: id, project_id: projectId } };
      },
    }),
  ];
}

const noSuch = (id: string) => new ProblemError("charge_point_not_found", `There is no charge point ${id}.`);
const duplicate = (serialNumber?: string) =>
  new ProblemError(
    "duplicate_serial_number",
    `Another charge point of the project has the serial number${serialNumber === undefined ? "" : ` ${serialNumber}`}.`,
    { remedy: "Retire that one first, or correct the serial number." },
  );

const HARDWARE = {
  hardware: [
    {
      serial_number: "SN-2026-00451",
      vendor: "VendorX",
      model: "AC22",
      ocpp_version: "2.0.1",
      firmware_version: null,
      removed_at: null,
      reason: null,
    },
    {
      serial_number: "SN-2024-00007",
      vendor: "VendorX",
      model: "AC22",
      ocpp_version: "2.0.1",
      firmware_version: "3.4.1",
      removed_at: "2026-05-01T10:23:00.000Z",
      reason: "contactor welded",
    },
  ],
};
