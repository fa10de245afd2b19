import { subtractDecimals } from "../transactions/decimal-text.ts";

/** A transaction with what its session shows. */
export interface SessionRow {
  id: string;
  session_id: string;
  org_id: string;
  station_id: string;
  transaction_id: string;
  charge_point_id: string;
  project_id: string | null;
  ocpp_version: "1.6" | "2.0.1" | "2.1";
  evse_id: number | null;
  connector_id: number | null;
  id_token: string | null;
  id_token_type: string | null;
  id_token_status: string | null;
  state: "active" | "ended";
  started_at: Date | null;
  start_received_at: Date | null;
  stopped_at: Date | null;
  stop_received_at: Date | null;
  start_confirmed_at: Date | null;
  /** Decimals, in Wh. */
  meter_start_wh: string | null;
  meter_stop_wh: string | null;
  stop_reason: string | null;
  stop_id_token: string | null;
  offline: boolean;
  complete: boolean;
  flags: string[];
  given_up_reason: "newer_transaction" | "forgotten_by_station" | null;
  created_at_text: string;
}

/** Reads SessionRows; a `where` on `t` and `s` follows. */
export const SELECT_SESSIONS = `
  select t.id::text as id, t.session_id, t.org_id, t.station_id::text as station_id, t.transaction_id, s.charge_point_id, s.project_id, t.ocpp_version,
         t.evse_id, t.connector_id, t.id_token, t.id_token_type, t.id_token_status, t.state, t.started_at, t.start_received_at,
         t.stopped_at, t.stop_received_at, t.start_confirmed_at, t.meter_start_wh::text as meter_start_wh, t.meter_stop_wh::text as meter_stop_wh,
         t.stop_reason, t.stop_id_token, t.offline, t.complete, t.flags, t.given_up_reason,
         to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as created_at_text
  from transactions t join stations s on s.id = t.station_id`;

export const SESSION_STATUSES = ["active", "completed", "abandoned", "unconfirmed"] as const;
export type SessionStatus = (typeof SESSION_STATUSES)[number];

/** statusOf in SQL, of `t`. */
export const STATUS_SQL = `case when t.state = 'ended' then 'completed' when t.given_up_at is not null then 'abandoned'
  when t.ocpp_version = '1.6' and t.start_confirmed_at is null then 'unconfirmed' else 'active' end`;

/** Abandoned and unconfirmed: what looks active in the table, and is not to be counted as a session that runs. */
export function statusOf(row: SessionRow): SessionStatus {
  if (row.state === "ended") return "completed";
  if (row.given_up_reason !== null) return "abandoned";
  return row.ocpp_version === "1.6" && row.start_confirmed_at === null ? "unconfirmed" : "active";
}

/** From start to end in minutes, to the hundredth; null: not both known, or the clock went backwards in between. */
export function minutesOf({ started_at: from, stopped_at: to }: SessionRow): number | null {
  if (from === null || to === null || to < from) return null;
  return Math.round((to.getTime() - from.getTime()) / 600) / 100;
}

/** Energy between two readings of the register, in kWh as a decimal; null: not both known, or it went backwards. */
export function energyKwh(startWh: string | null, stopWh: string | null): string | null {
  if (startWh === null || stopWh === null) return null;
  const wattHours = subtractDecimals(stopWh, startWh);
  return wattHours.startsWith("-") ? null : toKilo(wattHours);
}

/** A plain decimal / 1000. */
function toKilo(decimal: string): string {
  const [whole = "0", fraction = ""] = decimal.split(".");
  const digits = whole.padStart(4, "0");
  const after = `${digits.slice(-3)}${fraction}`.replace(/0+$/, "");
  return `${digits.slice(0, -3)}${after === "" ? "" : `.${after}`}`;
}

/** Further apart, the station's clock and ours tell a person something (ocpp-j: messages may be replayed days later). */
const MAX_SKEW_MS = 5 * 60_000;

/** What was odd about the session, each in a word of FLAGS (session-view.ts). */
export function flagsOf(row: SessionRow): string[] {
  const flags = new Set(row.flags);
  for (const [station, ours] of [
    [row.started_at, row.start_received_at],
    [row.stopped_at, row.stop_received_at],
  ]) {
    if (station == null || ours == null) continue;
    const aheadMs = station.getTime() - ours.getTime();
    if (aheadMs > MAX_SKEW_MS) flags.add("clock_ahead");
    // 2.x says when it was offline, and then a late event needs no other explanation.
    if (aheadMs < -MAX_SKEW_MS && !row.offline) flags.add("late_or_clock_behind");
  }
  if (row.ocpp_version !== "1.6" && row.state === "ended" && !row.complete) flags.add("events_missing");
  if (row.state !== "ended" && row.given_up_reason !== null) flags.add(row.given_up_reason);
  if (row.id_token_status !== null && row.id_token_status !== "Accepted") flags.add("token_not_accepted");
  if (
    row.meter_start_wh !== null &&
    row.meter_stop_wh !== null &&
    subtractDecimals(row.meter_stop_wh, row.meter_start_wh).startsWith("-")
  )
    flags.add("meter_went_backwards");
  return [...flags].sort();
}
