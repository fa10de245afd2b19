import { err, ok, type Result } from "./result.ts";

/** OCPP-J frames (J16 §4.2, P4-21 §4.2). CALLRESULTERROR and SEND exist since 2.1. */
export type Frame =
  | { kind: "call"; messageId: string; action: string; payload: unknown }
  | { kind: "callResult"; messageId: string; payload: unknown }
  | { kind: "callError"; messageId: string; code: string; description: string; details: unknown }
  | { kind: "callResultError"; messageId: string; code: string; description: string; details: unknown }
  | { kind: "send"; messageId: string; action: string; payload: unknown };

/** Whether and how it is answered differs by OCPP version: see the gateway's broken-frame.ts. */
export interface BrokenFrame {
  what:
    | "not-json"
    | "not-an-array"
    | "no-message-id"
    | "long-message-id"
    | "no-action"
    | "no-payload"
    | "unknown-type"
    | "too-deep";
  /** Null: none could be read that may stand in an answer (a string of 1 to 36 characters). */
  messageId: string | null;
  /** A message id that is a number: against the specification, and all that its sender can match an answer by. */
  numericMessageId?: number;
  /** The message type number where one was read: an answer (3, 4, 5) or a SEND is never answered (F10). */
  type: number | null;
}

/** P4 §4.1.4; J16 §4.1.4. */
export const MAX_MESSAGE_ID = 36;

/**
 * No message of OCPP nests deeper than a dozen levels, but customData may hold anything: code that walks payloads
 * recursively, JSON.stringify included, relies on this limit.
 */
export const MAX_NESTING = 64;

/** Splits OCPP-J text into a Frame. Never throws; knows nothing of actions, schemas or versions. */
export function decodeFrame(text: string): Result<Frame, BrokenFrame> {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return err({ what: "not-json", messageId: null, type: null });
  }
  if (!Array.isArray(parts)) return err({ what: "not-an-array", messageId: null, type: null });

  const [first, messageId, third, fourth, fifth] = parts as unknown[];
  const type = typeof first === "number" ? first : null;
  if (typeof messageId === "number" && Number.isSafeInteger(messageId))
    return err({ what: "no-message-id", messageId: null, numericMessageId: messageId, type });
  if (typeof messageId !== "string" || messageId === "") return err({ what: "no-message-id", messageId: null, type });
  if (messageId.length > MAX_MESSAGE_ID) return err({ what: "long-message-id", messageId: null, type });
  if (nestsTooDeep(text)) return err({ what: "too-deep", messageId, type });

  switch (type) {
    case 2:
    case 6:
      if (typeof third !== "string") return err({ what: "no-action", messageId, type });
      if (parts.length < 4) return err({ what: "no-payload", messageId, type });
      // `null` for "no payload" is tolerated by the text (F12).
      return ok({ kind: type === 2 ? "call" : "send", messageId, action: third, payload: fourth ?? {} });
    case 3:
      return ok({ kind: "callResult", messageId, payload: third ?? {} });
    case 4:
    case 5:
      return ok({
        kind: type === 4 ? "callError" : "callResultError",
        messageId,
        code: textOr(third, ""),
        description: textOr(fourth, ""),
        details: fifth ?? {},
      });
    default:
      return err({ what: "unknown-type", messageId, type });
  }
}

/** Not `String(value)`: that calls the value's own `toString`, which a peer may have made a number of. */
const textOr = (value: unknown, other: string): string => (typeof value === "string" ? value : other);

/** @param json valid JSON. Counted in the text: walking the value would need the very stack that is to be spared. */
function nestsTooDeep(json: string): boolean {
  if (json.length <= 2 * MAX_NESTING) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const unit = json.charCodeAt(at);
    if (inString) {
      if (unit === 0x5c) at++;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > MAX_NESTING) return true;
    } else if (unit === 0x5d || unit === 0x7d) depth--;
  }
  return false;
}

/** `payload` is JSON text: what was validated is what travels, without a round trip through numbers. */
export const encodeCall = (messageId: string, action: string, payload: string): string =>
  `[2,${JSON.stringify(messageId)},${JSON.stringify(action)},${payload}]`;

/** `payload` is JSON text, valid against its action's response schema. */
export const encodeCallResult = (messageId: string, payload: string): string =>
  `[3,${JSON.stringify(messageId)},${payload}]`;

/**
 * Details are always `{}`: nothing of our inside belongs there. The description is cut at the 255 characters that are allowed.
 * @param messageId a number only in answer to one (BrokenFrame.numericMessageId)
 */
export const encodeCallError = (messageId: string | number, code: string, description: string): string =>
  `[4,${JSON.stringify(messageId)},${JSON.stringify(code)},${JSON.stringify(description.slice(0, 255))},{}]`;

/** 2.1 alone (P4-21 §4.2.3): what is wrong with the peer's CALLRESULT of this id. Details as in `encodeCallError`. */
export const encodeCallResultError = (messageId: string, code: string, description: string): string =>
  `[5,${JSON.stringify(messageId)},${JSON.stringify(code)},${JSON.stringify(description.slice(0, 255))},{}]`;
