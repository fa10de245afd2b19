import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { notAssigned } from "../projects/project-problems.ts";
import { ocppEndpoint } from "./charge-point-view.ts";
import { registerChargePoint, type RegistrationDeps, type RegistrationRefusal } from "./register-charge-point.ts";
import { location, unit } from "./unit-fields.ts";

/** Step four of the quickstart: a unit gets its id, its address and its password. */
export function registerChargePointRoute(deps: RegistrationDeps & { publicOcppUrl: string }): Route {
  return defineRoute({
    method: "post",
    path: "/api/v1/installer/charge-points",
    operationId: "registerChargePoint",
    summary: "Register a charge point in your project",
    description: "The provisioning password is shown once; it can be rotated. Enter it and ocpp_endpoint at the unit.",
    tag: "Installer",
    access: { kind: "installer" },
    rateLimit: "write",
    idempotent: true,
    body: z.strictObject({
      project_id: z.string().min(1).max(64),
      ...unit,
      max_power_kw: unit.max_power_kw.optional(),
      location: location.optional(),
    }),
    bodyExample: {
      project_id: "proj_01hx5t6u7v8w",
      serial_number: "SN-ABX-20240501-007",
      model: "Alpitronic HYC300",
      vendor: "Alpitronic",
      ocpp_version: "2.0.1",
      max_power_kw: 300,
      connector_count: 2,
      location: { latitude: 51.5074, longitude: -0.1278, description: "Bay 4, Level P1" },
    },
    responses: {
      201: {
        description: "Registered",
        headers: ["Location"],
        schema: z.object({
          charge_point_id: z.string(),
          ocpp_endpoint: z.string(),
          status: z.literal("registered"),
          provisioning_password: z
            .string()
            .describe("Basic auth password of the unit; its user name is the charge_point_id"),
          created_at: isoTime(),
        }),
        example: {
          charge_point_id: "cp_01hxab1c2d3e",
          ocpp_endpoint: "wss://ocpp.dynamo-csms.com/ocpp/2.0.1/cp_01hxab1c2d3e",
          status: "registered",
          provisioning_password: "ocpp-prov-secret-xyz",
          created_at: "2026-05-01T10:23:00Z",
        },
      },
    },
    problems: ["project_not_found", "project_handed_over", "duplicate_serial_number"],
    async handle({ caller, body }) {
      const outcome = await registerChargePoint(deps, caller.installerId, body);
      if (!outcome.ok) throw registrationProblem(outcome.error, body.project_id, body.serial_number);
      const { chargePointId: id, password, createdAt } = outcome.value;
      return {
        status: 201,
        headers: { location: `/api/v1/installer/charge-points/${id}`, "cache-control": "no-store" },
        body: {
          charge_point_id: id,
          ocpp_endpoint: ocppEndpoint(deps.publicOcppUrl, body.ocpp_version, id),
          status: "registered",
          provisioning_password: password,
          created_at: isoSeconds(createdAt),
        },
      };
    },
  });
}

function registrationProblem(refusal: RegistrationRefusal, projectId: string, serialNumber: string): ProblemError {
  switch (refusal.kind) {
    case "not-assigned":
      return notAssigned(projectId);
    case "handed-over":
      return new ProblemError("project_handed_over", `The project ${projectId} was handed over.`);
    case "duplicate":
      return new ProblemError("duplicate_serial_number", `${serialNumber} is registered as ${refusal.chargePointId}.`, {
        members: { charge_point_id: refusal.chargePointId },
      });
  }
}
