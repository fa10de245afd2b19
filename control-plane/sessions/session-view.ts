import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { jsonWithSource } from "../message-log/json-source.ts";
import type { Registers } from "./session-registers.ts";
import { energyKwh, flagsOf, minutesOf, SESSION_STATUSES, type SessionRow, statusOf } from "./session-row.ts";

/** What may stand in `flags`, and what it tells. Clients must expect others to come. */
const FLAGS = {
  start_time_unreadable: "the charge point's time of the start cannot be read; started_at is when we received it",
  stop_time_unreadable: "the same of the end",
  meter_start_unreadable: "the meter's reading at the start is no number",
  meter_stop_unreadable: "the same at the end",
  meter_went_backwards: "the meter's reading at the end is lower than at the start: energy_kwh is null",
  clock_ahead: "the charge point's time is over 5 minutes ahead of ours",
  late_or_clock_behind:
    "it was reported over 5 minutes after the charge point's own time, and the charge point did not say that it had been offline",
  events_missing: "OCPP 2.x: it ended, and events in between have not come (yet)",
  newer_transaction: "a newer session began on the same connector, and the end of this one never came",
  forgotten_by_station: "the charge point says that it is over, and that nothing more of it will come",
  token_not_accepted: "the charge point was told that its token is not accepted",
};

export const session = named(
  "Session",
  z.object({
    session_id: z.string(),
    transaction_id: z.string().describe("OCPP 1.6: the number that we gave; 2.x: the charge point's own"),
    charge_point_id: z.string(),
    project_id: z.string().nullable(),
    ocpp_version: z.enum(OCPP_VERSIONS),
    evse_id: z.number().int().nullable().describe("null for OCPP 1.6"),
    connector_id: z.number().int().nullable(),
    status: z
      .enum(SESSION_STATUSES)
      .describe(
        "abandoned: its end never came and it is surely over (the flags say why); unconfirmed: OCPP 1.6, the charge point has not yet been told its transaction_id, and may never learn it",
      ),
    id_token: z.string().nullable(),
    id_token_type: z.string().nullable(),
    id_token_status: z.string().nullable().describe("what the charge point was told of the token at the start"),
    started_at: isoTime().nullable().describe("by the charge point's clock; null: its beginning was not reported"),
    start_received_at: isoTime().nullable().describe("by our clock"),
    ended_at: isoTime().nullable().describe("by the charge point's clock"),
    end_received_at: isoTime().nullable().describe("by our clock"),
    duration_minutes: z.number().nullable().describe("null: not ended, or the charge point's clock went backwards"),
    energy_kwh: z
      .number()
      .nullable()
      .describe("exact, as many decimals as the meter says; up to the last reading while it runs"),
    meter_start_wh: z.number().nullable(),
    meter_stop_wh: z.number().nullable(),
    stop_reason: z.string().nullable().describe("as OCPP names it"),
    stop_id_token: z.string().nullable().describe("the token it was stopped with, where there was one"),
    offline: z.boolean().describe("OCPP 2.x: something of it was reported later than it happened"),
    complete: z.boolean().describe("it ended, and everything from its beginning to its end was reported"),
    flags: z.array(z.string()).describe(
      `what was odd about it: ${Object.entries(FLAGS)
        .map(([flag, meaning]) => `\`${flag}\`: ${meaning}`)
        .join("; ")}`,
    ),
  }),
);

export const SESSION_EXAMPLE = {
  session_id: "sess_01hxab1c2d3e4f5g",
  transaction_id: "4711",
  charge_point_id: "cp_01hxab1c2d3e",
  project_id: "proj_01hx5t6u7v8w",
  ocpp_version: "1.6",
  evse_id: null,
  connector_id: 1,
  status: "completed",
  id_token: "04A2B3C4D5E680",
  id_token_type: null,
  id_token_status: "Accepted",
  started_at: "2026-05-01T10:33:12.000Z",
  start_received_at: "2026-05-01T10:33:12.481Z",
  ended_at: "2026-05-01T11:15:42.000Z",
  end_received_at: "2026-05-01T11:15:42.377Z",
  duration_minutes: 42.5,
  energy_kwh: 12.345,
  meter_start_wh: 1_204_500,
  meter_stop_wh: 1_216_845,
  stop_reason: "EVDisconnected",
  stop_id_token: null,
  offline: false,
  complete: true,
  flags: [],
} as const satisfies Omit<z.input<typeof session>, "flags"> & { flags: readonly string[] };

/** A decimal as a JSON number with exactly its digits: a float would round what has more than 15. */
export const exactNumber = (decimal: string | null): object | null =>
  decimal === null ? null : jsonWithSource.rawJSON(decimal);

/** @param registers the first and last reading on record, for a session that did not say its own. */
export function sessionView(row: SessionRow, registers: Registers | undefined) {
  return {
    session_id: row.session_id,
    transaction_id: row.transaction_id,
    charge_point_id: row.charge_point_id,
    project_id: row.project_id,
    ocpp_version: row.ocpp_version,
    evse_id: row.evse_id,
    connector_id: row.connector_id,
    status: statusOf(row),
    id_token: row.id_token,
    id_token_type: row.id_token_type,
    id_token_status: row.id_token_status,
    started_at: timeOf(row.started_at),
    start_received_at: timeOf(row.start_received_at),
    ended_at: timeOf(row.stopped_at),
    end_received_at: timeOf(row.stop_received_at),
    duration_minutes: minutesOf(row),
    energy_kwh: exactNumber(
      energyKwh(row.meter_start_wh ?? registers?.firstWh ?? null, row.meter_stop_wh ?? registers?.lastWh ?? null),
    ),
    meter_start_wh: exactNumber(row.meter_start_wh),
    meter_stop_wh: exactNumber(row.meter_stop_wh),
    stop_reason: row.stop_reason,
    stop_id_token: row.stop_id_token,
    offline: row.offline,
    complete: row.ocpp_version === "1.6" ? row.state === "ended" : row.complete,
    flags: flagsOf(row),
  };
}

const timeOf = (time: Date | null): string | null => (time === null ? null : isoMillis(time));
