import { z } from "zod";

const time = z.iso.datetime().describe("ISO 8601, UTC");
const place = {
  charge_point_id: z.string(),
  project_id: z.string().nullable().describe("null: the charge point belongs to no project"),
};

const startedData = {
  session_id: z.string(),
  transaction_id: z.string(),
  ...place,
  evse_id: z.int().nullable().describe("null for OCPP 1.6"),
  connector_id: z.int().nullable(),
  id_token: z.string().nullable().describe("null: started without one"),
  id_token_status: z
    .string()
    .nullable()
    .describe("what the charge point was told of the token; other than Accepted: it should stop by itself"),
  started_at: time.nullable().describe("by the charge point's clock; null: its beginning was never reported"),
  meter_start_wh: z.number().nullable(),
  offline: z.boolean().describe("OCPP 2.x: reported later than it happened"),
};

const startedExample = {
  session_id: "sess_01hxab1c2d3e4f5g",
  transaction_id: "4711",
  charge_point_id: "cp_01hxab1c2d3e",
  project_id: "proj_01hx5t6u7v8w",
  evse_id: null,
  connector_id: 1,
  id_token: "04A2B3C4D5E680",
  id_token_status: "Accepted",
  started_at: "2026-05-01T10:33:12.000Z",
  meter_start_wh: 1_204_500,
  offline: false,
};

/** The events of charging sessions, for event-catalog.ts. */
export const SESSION_EVENTS = {
  "session.authorized": {
    description: "A charge point asked about a token (Authorize) and was told Accepted. A session need not follow.",
    data: z.strictObject({ ...place, id_token: z.string(), authorized_at: time }),
    example: {
      charge_point_id: "cp_01hxab1c2d3e",
      project_id: "proj_01hx5t6u7v8w",
      id_token: "04A2B3C4D5E680",
      authorized_at: "2026-05-01T10:33:09.000Z",
    },
  },
  "session.started": {
    description:
      "A charging session began. Told once, perhaps late: a charge point that was offline reports its sessions when it is back.",
    data: z.strictObject(startedData),
    example: startedExample,
  },
  "session.ended": {
    description:
      "A charging session ended. Told once. Of a session whose beginning the charge point never reported this is all that is told.",
    data: z.strictObject({
      ...startedData,
      ended_at: time,
      duration_minutes: z.number().nullable().describe("null: not known, or the charge point's clock went backwards"),
      energy_kwh: z.number().nullable().describe("null: no reading at its beginning or end"),
      meter_stop_wh: z.number().nullable(),
      stop_reason: z.string().nullable(),
      stop_id_token: z.string().nullable().describe("the token it was stopped with, where there was one"),
    }),
    example: {
      ...startedExample,
      ended_at: "2026-05-01T11:15:42.000Z",
      duration_minutes: 42.5,
      energy_kwh: 12.345,
      meter_stop_wh: 1_216_845,
      stop_reason: "EVDisconnected",
      stop_id_token: null,
    },
  },
} as const satisfies Record<string, { description: string; data: z.ZodType; example: unknown }>;
