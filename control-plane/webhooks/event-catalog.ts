import { z } from "zod";
import { FIRMWARE_EVENTS } from "../firmware/firmware-events.ts";
import { ALERT_EVENTS } from "../security-events/alert-events.ts";
import { SESSION_EVENTS } from "../sessions/session-events.ts";

const time = z.iso.datetime().describe("ISO 8601, UTC");
const projectId = z.string().nullable().describe("null: the charge point belongs to no project");

const commissioningData = z.strictObject({
  commissioning_id: z.string(),
  charge_point_id: z.string(),
  project_id: z.string(),
  status: z.enum(["in_progress", "completed", "failed"]),
  checks: z.array(
    z.strictObject({
      name: z.enum(["ocpp_connection", "heartbeat", "meter_calibration", "firmware_version"]),
      status: z.enum(["pending", "in_progress", "passed", "failed", "skipped"]),
      value: z.string().optional(),
      cause: z.string().optional().describe("why it failed or was skipped"),
      remedy: z.string().optional().describe("what to do about it on site"),
    }),
  ),
  started_at: time,
  completed_at: time.optional().describe("when the last check had passed or was skipped"),
  failed_at: time.optional().describe("when the last check of a failed commissioning had ended"),
});

const commissioningExample = {
  commissioning_id: "comm_01hxef4g5h6i",
  charge_point_id: "cp_01hxab1c2d3e",
  project_id: "proj_01hx5t6u7v8w",
  status: "completed",
  checks: [
    { name: "ocpp_connection", status: "passed" },
    { name: "heartbeat", status: "passed" },
    { name: "meter_calibration", status: "passed" },
    { name: "firmware_version", status: "passed", value: "3.4.1" },
  ],
  started_at: "2026-05-01T10:31:00Z",
  completed_at: "2026-05-01T10:33:12Z",
} satisfies z.input<typeof commissioningData>;

/**
 * Every event that a webhook endpoint can subscribe to: a closed list, and the source of the `webhooks` section of the
 * OpenAPI document. Adding one is an additive change of the API; a name is never reused for something else.
 */
export const EVENTS = {
  "commissioning.started": {
    description:
      "An installer started the commissioning of a charge point, or started it again after it had failed. The checks are those of the answer to `start`: what was known already is judged.",
    data: commissioningData,
    example: {
      ...commissioningExample,
      status: "in_progress",
      checks: [
        { name: "ocpp_connection", status: "passed" },
        { name: "heartbeat", status: "pending" },
        { name: "meter_calibration", status: "in_progress" },
        { name: "firmware_version", status: "passed", value: "3.4.1" },
      ],
      completed_at: undefined,
    },
  },
  "commissioning.completed": {
    description:
      "Every check of a commissioning passed or was skipped with a reason: the charge point is ready for handover.",
    data: commissioningData,
    example: commissioningExample,
  },
  "commissioning.failed": {
    description: "Every check has ended and at least one failed. Starting again keeps what passed.",
    data: commissioningData,
    example: {
      ...commissioningExample,
      status: "failed",
      checks: [
        { name: "ocpp_connection", status: "passed" },
        {
          name: "heartbeat",
          status: "failed",
          cause: "no Heartbeat before the deadline",
          remedy: "Check the heartbeat interval of the charge point.",
        },
        { name: "meter_calibration", status: "skipped", cause: "switched off with run_meter_calibration" },
        { name: "firmware_version", status: "passed", value: "3.4.1" },
      ],
      completed_at: undefined,
      failed_at: "2026-05-01T10:33:12Z",
    },
  },
  "handover.completed": {
    description:
      "A project was handed over to the site owner; its certificate is at GET /api/v1/projects/{project_id}/certificate.",
    data: z.strictObject({
      project_id: z.string(),
      name: z.string(),
      site_address: z.string(),
      installer_id: z.string(),
      signed_by: z.string(),
      site_contact_name: z.string(),
      charge_point_ids: z.array(z.string()),
      certificate_sha256: z.string().describe("of the PDF's bytes, hexadecimal"),
      warnings: z.array(z.string()),
      handed_over_at: time,
    }),
    example: {
      project_id: "proj_01hx5t6u7v8w",
      name: "Riverside Business Park — Phase 1",
      site_address: "Unit 12, Riverside Business Park, London E1W 3SJ",
      installer_id: "ins_01hx9k2m3n4p",
      signed_by: "Alex Technician",
      site_contact_name: "Sarah Owen",
      charge_point_ids: ["cp_01hxab1c2d3e"],
      certificate_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      warnings: [],
      handed_over_at: "2026-05-01T14:45:00Z",
    },
  },
  "charge_point.connected": {
    description: "A charge point connected that was away before. A short change of connection is not told.",
    data: z.strictObject({
      charge_point_id: z.string(),
      project_id: projectId,
      ocpp_version: z.enum(["1.6", "2.0.1", "2.1"]),
      connected_at: time,
    }),
    example: {
      charge_point_id: "cp_01hxab1c2d3e",
      project_id: "proj_01hx5t6u7v8w",
      ocpp_version: "2.0.1",
      connected_at: "2026-05-01T10:29:41Z",
    },
  },
  "charge_point.disconnected": {
    description: "A charge point has been without connection for a minute.",
    data: z.strictObject({
      charge_point_id: z.string(),
      project_id: projectId,
      disconnected_at: time.describe("when the connection ended, not when this was noticed"),
      reason: z.string().nullable(),
    }),
    example: {
      charge_point_id: "cp_01hxab1c2d3e",
      project_id: "proj_01hx5t6u7v8w",
      disconnected_at: "2026-05-01T22:10:03Z",
      reason: "no answer to ping",
    },
  },
  "charge_point.status_changed": {
    description: "The status of a connector changed.",
    data: z.strictObject({
      charge_point_id: z.string(),
      project_id: projectId,
      evse_id: z.int().nullable().describe("null for OCPP 1.6"),
      connector_id: z.int().describe("OCPP 1.6: 0 is the whole station"),
      status: z.string().describe("as the station reported it"),
      previous_status: z.string().nullable().describe("null: the first report of this connector"),
      error_code: z.string().nullable(),
      reported_at: time.describe("the station's clock, or the time of receipt when the station sent none"),
    }),
    example: {
      charge_point_id: "cp_01hxab1c2d3e",
      project_id: "proj_01hx5t6u7v8w",
      evse_id: 1,
      connector_id: 1,
      status: "Available",
      previous_status: "Unavailable",
      error_code: null,
      reported_at: "2026-05-01T10:29:45Z",
    },
  },
  ...SESSION_EVENTS,
  ...ALERT_EVENTS,
  ...FIRMWARE_EVENTS,
} as const satisfies Record<string, { description: string; data: z.ZodType; example: unknown }>;

export type EventType = keyof typeof EVENTS;
/** What an event of this type carries: the `data` member of a delivery's body. */
export type EventData<T extends EventType> = z.input<(typeof EVENTS)[T]["data"]>;

export const EVENT_TYPES = Object.keys(EVENTS) as [EventType, ...EventType[]];

/** What a test delivery carries (POST …/endpoints/{endpoint_id}/test): sent to one endpoint, subscribed to or not. */
export const TEST_EVENT_TYPE = "webhook.test";
