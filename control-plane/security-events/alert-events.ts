import { z } from "zod";

/** The webhook event that a critical security event makes; part of the event catalogue. */
export const ALERT_EVENTS = {
  "alert.triggered": {
    description:
      "Something happened that a person should look at. `alert` says what: `critical_security_event` is a security event that OCPP calls critical, told by the charge point or noticed by the gateway.",
    data: z.strictObject({
      alert: z.enum(["critical_security_event"]).describe("more kinds may come"),
      security_event_id: z.string(),
      charge_point_id: z.string(),
      project_id: z.string().nullable().describe("null: the charge point belongs to no project"),
      source: z.enum(["charge_point", "csms"]),
      type: z.string().describe("OCPP's name of the event, or the vendor's"),
      tech_info: z.string().nullable(),
      occurred_at: z.iso.datetime().describe("ISO 8601, UTC, by the charge point's clock where it sent a time"),
    }),
    example: {
      alert: "critical_security_event",
      security_event_id: "4711",
      charge_point_id: "cp_01hxab1c2d3e",
      project_id: "proj_01hx5t6u7v8w",
      source: "charge_point",
      type: "TamperDetectionActivated",
      tech_info: "cover opened",
      occurred_at: "2026-05-01T10:29:41Z",
    },
  },
} as const;
