/**
 * Each WebSocket close code that we send (RFC 6455 §7.4.1 and the IANA registry), and what it asks of the station.
 * Stations do not promise to act on them; all of them reconnect.
 */
export const CLOSE_CODES = {
  1000: "normal: a newer connection of the same station took over",
  1002: "no subprotocol in common (only with UNSUPPORTED_SUBPROTOCOL=closeAfterUpgrade)",
  1003: "binary frame: OCPP-J is text",
  1007: "the text is not UTF-8",
  1008: "policy: access revoked, or too many broken frames",
  1009: "frame over the configured limit",
  1011: "a fault of ours while handling this connection",
  1012: "this node restarts: reconnect, another node answers",
  1013: "overload, or nothing can be stored now: reconnect later, keep your queue",
} as const;

export type CloseCode = keyof typeof CLOSE_CODES;

/** Why a connection ended, as a metric label: a closed set. */
export type CloseReason =
  | "superseded"
  | "no-subprotocol"
  | "bad-frame"
  | "too-large"
  | "policy"
  | "fault"
  | "restart"
  | "overload"
  | "station"
  | "silent"
  | "lost";

const OUR_REASONS: Record<CloseCode, CloseReason> = {
  1000: "superseded",
  1002: "no-subprotocol",
  1003: "bad-frame",
  1007: "bad-frame",
  1008: "policy",
  1009: "too-large",
  1011: "fault",
  1012: "restart",
  1013: "overload",
};

/** Whether a close of ours was brought about by what the station sent, and not by our own state or its newer connection. */
export const isForBadManners = (code: CloseCode): boolean =>
  ["bad-frame", "too-large", "policy"].includes(OUR_REASONS[code]);

/** A code that the station chose may be any of 3,000: only these become a label. */
const STATION_CODES = new Set([1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009, 1011]);

/**
 * Labels for the end of a connection. `text` is the close frame's reason; for 1006 (no close frame) it is the
 * WebSocket library's own word on why it gave up.
 */
export function closeLabels(
  code: number,
  text: string,
  byUs: CloseCode | undefined,
): { code: string; reason: CloseReason } {
  if (byUs !== undefined) return { code: String(byUs), reason: OUR_REASONS[byUs] };
  const label = STATION_CODES.has(code) ? String(code) : "other";
  if (code !== 1006) return { code: label, reason: "station" };
  // The library reports an oversized message as 1006, not as 1009.
  if (/too big/i.test(text)) return { code: label, reason: "too-large" };
  if (/timed out/i.test(text)) return { code: label, reason: "silent" };
  if (/UTF-?8|invalid/i.test(text)) return { code: label, reason: "bad-frame" };
  return { code: label, reason: "lost" };
}
