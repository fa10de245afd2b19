import { z } from "zod";

const common = {
  charge_point_id: z.string(),
  project_id: z.string().nullable().describe("null: the charge point belongs to no project"),
  command_id: z.string().describe("the command that asked for the update: GET /api/v1/commands/{command_id}"),
  status: z.string().describe("in the charge point's own words"),
};
const example = {
  charge_point_id: "cp_01hxab1c2d3e",
  project_id: "proj_01hx5t6u7v8w",
  command_id: "cmd_4tq0v8yq2m1xkz7c5h9d3rwbne",
};
const time = z.iso.datetime().describe("ISO 8601, UTC");

/** Webhook events of firmware updates; each once per update. */
export const FIRMWARE_EVENTS = {
  "firmware.update_started": {
    description: "A charge point took a firmware update on.",
    data: z.strictObject({ ...common, started_at: time }),
    example: { ...example, status: "Accepted", started_at: "2026-05-01T10:23:00.000Z" },
  },
  "firmware.update_completed": {
    description: "A firmware update came to its end: installed, or failed for the reason that the status names.",
    data: z.strictObject({ ...common, succeeded: z.boolean(), completed_at: time }),
    example: { ...example, status: "Installed", succeeded: true, completed_at: "2026-05-01T10:41:30.000Z" },
  },
} as const;
