import type { OcppVersion } from "./ocpp-version.ts";

/** What we mean when we refuse a CALL. */
export type Refusal =
  | "unknown-action"
  | "unsupported-action"
  | "malformed-payload"
  | "wrong-type"
  | "out-of-range"
  | "wrong-cardinality"
  | "not-allowed"
  | "protocol"
  | "bad-frame"
  | "unknown-message-type"
  | "internal"
  | "generic";

type Spelling = Record<OcppVersion, string>;
const same = (code: string): Spelling => ({ "1.6": code, "2.0.1": code, "2.1": code });
const newer = (v16: string, v2: string): Spelling => ({ "1.6": v16, "2.0.1": v2, "2.1": v2 });

/**
 * What we mean → what each version calls it. The misspellings of 1.6 are its own and stay (J16 errata 2025-04 §5.1, §5.2).
 * 1.6 has no code for a broken frame or an unknown message type; it is not answered there, the entries are what we would say.
 */
export const CALL_ERROR_CODE: Record<Refusal, Spelling> = {
  "unknown-action": same("NotImplemented"),
  "unsupported-action": same("NotSupported"),
  "malformed-payload": newer("FormationViolation", "FormatViolation"),
  "wrong-type": same("TypeConstraintViolation"),
  "out-of-range": same("PropertyConstraintViolation"),
  "wrong-cardinality": newer("OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
  "not-allowed": same("SecurityError"),
  protocol: same("ProtocolError"),
  "bad-frame": newer("FormationViolation", "RpcFrameworkError"),
  "unknown-message-type": newer("GenericError", "MessageTypeNotSupported"),
  internal: same("InternalError"),
  generic: same("GenericError"),
};

/** `errorDescription` holds at most 255 characters (P4 §4.2.3). */
export const MAX_ERROR_DESCRIPTION = 255;

/** What we say to a station instead of silence. `details` are always {}: no stack, no internals (steve#848). */
export interface CallRefusal {
  refusal: Refusal;
  /** For a person at the station's log: which field, what was expected. */
  description: string;
}
