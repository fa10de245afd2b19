import type { OcppVersion } from "./ocpp-version.ts";

/**
 * How far a relaxation goes. `report_only`: what it would forgive is still refused, and counted, so that an operator sees
 * what a profile would change before it does. `accept`: forgiven, and counted.
 */
export type QuirkMode = "report_only" | "accept";

/**
 * The named things that a profile may forgive a station. All are off unless a profile names them; a station's record in the
 * registry carries what is in force for it.
 */
export interface QuirkSettings {
  /** No Sec-WebSocket-Protocol: taken for this version, and none is echoed (RFC 6455 §4.2.2). */
  missing_subprotocol?: { mode: QuirkMode; assume: OcppVersion };
  /** A password that travels as hex text where its bytes are on file, or the other way round (J16 §6.2.2). */
  credential_encoding?: { mode: QuirkMode };
  /** Strings longer than their schema allows, up to this many characters. */
  over_long_strings?: { mode: QuirkMode; max_length: number };
  /** Timestamps that are no RFC 3339: without zone (taken for UTC), with a space instead of the T, empty. */
  odd_timestamps?: { mode: QuirkMode };
  /** Fields that the schema does not know. */
  unknown_fields?: { mode: QuirkMode };
  /**
   * Our WebSocket pings to this station; 0: none. The connection counts as dead after three times that (of 0: three times its
   * heartbeat interval) without any frame of it, at least 75 s.
   */
  ping_interval?: { mode: QuirkMode; seconds: number };
}

export type QuirkName = keyof QuirkSettings;

/** All of them, in the order of the documentation. */
export const QUIRK_NAMES = [
  "missing_subprotocol",
  "credential_encoding",
  "over_long_strings",
  "odd_timestamps",
  "unknown_fields",
  "ping_interval",
] as const satisfies readonly QuirkName[];
