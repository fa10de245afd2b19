import { Counter, Gauge, Rate, Trend } from "k6/metrics";

/** From the CALL that was put on the socket to its answer; tags: action, version, phase. */
export const callDuration = new Trend("ocpp_call_duration", true);
/** CALLs that got a CALLERROR, no answer in time, or none because the connection broke; the same tags. */
export const callErrors = new Rate("ocpp_call_errors");
/** CALLRESULTs and CALLs of ours that the OCPP schemas refuse; tags: action, version. */
export const schemaViolations = new Counter("ocpp_schema_violations");
/** Connections that ended without our wish, by close code. */
export const disconnects = new Counter("ocpp_disconnects");
/** Connections that came back. */
export const reconnects = new Counter("ocpp_reconnects");
/** From the loss of a connection to the next one that is open. */
export const reconnectTime = new Trend("reconnect_time", true);
/** Handshakes that were refused or failed. */
export const refusals = new Counter("ocpp_handshakes_refused");
/** How many per cent of a virtual user's stations are connected. */
export const connected = new Gauge("ocpp_connected");
/** A command, from the REST request to the station's answer in the REST response. */
export const commandRoundtrip = new Trend("command_roundtrip", true);
export const commandErrors = new Rate("command_errors");
/** By how much a turn of a virtual user came late: k6 itself has not enough CPU when this grows. */
export const turnDelay = new Trend("k6_turn_delay", true);

export type Tags = Record<string, string>;

const known = new Map<string, Tags>();

/** The same object for the same tags: they are made once, not with every message. */
export function tagsOf(action: string, version: string, phase: string): Tags {
  const key = `${action} ${version} ${phase}`;
  let tags = known.get(key);
  if (tags === undefined) {
    tags = { action, version, phase };
    known.set(key, tags);
  }
  return tags;
}
