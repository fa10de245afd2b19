import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { OCPP16, OCPP20, OCPP21 } from "typed-ocpp";

interface Check {
  (frame: unknown): boolean;
  errors: string[];
}
/** The part of typed-ocpp that is the same for all versions. */
interface Validator {
  validateCall: Check;
  validateCallError: Check;
  checkCallResult: { (frame: unknown, call: unknown): boolean; errors: string[] };
}

// Its types name every message of a version; here frames are judged that may be anything.
const VALIDATORS = { "1.6": OCPP16, "2.0.1": OCPP20, "2.1": OCPP21 } as unknown as Record<OcppVersion, Validator>;

/**
 * The error codes where typed-ocpp knows one spelling for all versions: theirs → ours. J16 errata 2025-04 §5.1 keeps the one r
 * of 1.6; 2.x has FormatViolation (P4 §4.3) for what 1.6 calls FormationViolation.
 */
const OUR_SPELLING: Record<OcppVersion, Record<string, string>> = {
  "1.6": { OccurrenceConstraintViolation: "OccurenceConstraintViolation" },
  "2.0.1": { FormationViolation: "FormatViolation" },
  "2.1": { FormationViolation: "FormatViolation" },
};

/** J16 §4.1.4, P4 §4.1.4; P4 §4.2.3. */
const MAX_MESSAGE_ID = 36;
const MAX_DESCRIPTION = 255;

/**
 * What typed-ocpp, which nobody here wrote, has against a frame that we sent to a station; empty: nothing. It has its own copy
 * of the published schemas and its own validator.
 * @param action of the CALL that a CALLRESULT answers
 */
export function complaintsAboutFrame(version: OcppVersion, text: string, action: string | undefined): string[] {
  const their = VALIDATORS[version];
  const frame: unknown = JSON.parse(text);
  if (!Array.isArray(frame)) return ["no array"];
  const [type, messageId, , description] = frame as unknown[];
  const found: string[] = [];
  if (typeof messageId !== "string" || messageId.length > MAX_MESSAGE_ID)
    found.push(`message id ${JSON.stringify(messageId)}`);
  switch (type) {
    case 2:
      if (!their.validateCall(structuredClone(frame))) found.push(...their.validateCall.errors);
      return found;
    case 3:
      if (action === undefined) return [...found, "an answer to nothing"];
      if (!their.checkCallResult(structuredClone(frame), [2, messageId, action, {}]))
        found.push(...their.checkCallResult.errors);
      return found;
    case 4:
    case 5:
      if (type === 5 && version !== "2.1") found.push(`message type 5 in OCPP ${version}`);
      if (!their.validateCallError(inTheirSpelling(version, frame))) found.push(...their.validateCallError.errors);
      if (typeof description !== "string" || description.length > MAX_DESCRIPTION) found.push("description too long");
      return found;
    default:
      return [...found, `message type ${JSON.stringify(type)}`];
  }
}

/** The error with its code as typed-ocpp spells it. A code that is theirs and not the version's becomes one that nobody knows. */
function inTheirSpelling(version: OcppVersion, frame: unknown[]): unknown[] {
  const [type, messageId, code, ...rest] = structuredClone(frame);
  const spellings = Object.entries(OUR_SPELLING[version]);
  const theirs = spellings.find(([, ours]) => ours === code)?.[0];
  const wrong = spellings.some(([their]) => their === code);
  return [type, messageId, wrong ? `${String(code)} (of another version)` : (theirs ?? code), ...rest];
}
