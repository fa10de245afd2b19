import { CALL_ERROR_CODE, type Refusal } from "@dynamo-csms/proto/call-error";
import { encodeCallError, MAX_NESTING, type BrokenFrame } from "@dynamo-csms/proto/ocpp-frame";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** Stands for the id that could not be read (P4 §4.2.3). */
const UNREADABLE_ID = "-1";

const CALL = 2;

const DESCRIPTION: Record<BrokenFrame["what"], string> = {
  "not-json": "the frame is not JSON",
  "not-an-array": "the frame is not a JSON array",
  "no-message-id": "the message id must be a string of 1 to 36 characters",
  "long-message-id": "the message id must be a string of 1 to 36 characters",
  "no-action": "the action must be a string",
  "no-payload": "the payload is missing",
  "unknown-type": "unknown message type",
  "too-deep": `the frame is nested deeper than ${MAX_NESTING} levels`,
};

/**
 * What each version replies to a frame that is none; undefined: nothing. Answers and SENDs are never answered, whatever
 * is wrong with them: two peers would refuse each other's refusals for ever.
 */
export function replyToBrokenFrame(version: OcppVersion, broken: BrokenFrame): string | undefined {
  const { type } = broken;
  if (isAnswerOrSend(version, type)) return undefined;
  if (type !== null && type !== CALL) {
    // J16 §4.1.3 and P4-21 §4.4: ignored; P4-201 §4.4: answered. What is a type of 2.1 alone (5, 6) counts as unknown there: a
    // CALLERROR is answered by nobody, so two peers cannot go on for ever. But whoever sends these knows no id "-1".
    const isAnswered = version === "2.0.1" && (broken.messageId !== null || (type !== 5 && type !== 6));
    return isAnswered ? refuse(version, { ...broken, what: "unknown-type" }, "unknown-message-type") : undefined;
  }
  // Readable, only not a string: "-1" would leave its sender waiting (P4 §4.2.3 means ids that cannot be read).
  if (broken.numericMessageId !== undefined && type === CALL)
    return encodeCallError(broken.numericMessageId, CALL_ERROR_CODE.protocol[version], DESCRIPTION[broken.what]);
  // 1.6 has no word for a frame without a readable id (F8).
  if (version === "1.6" && broken.messageId === null) return undefined;
  // "Payload for Action is incomplete" in 1.6, "does not conform to the PDU structure" in 2.x.
  return refuse(version, broken, REFUSAL[broken.what] ?? "bad-frame");
}

/** Message types that nobody answers (P4-21 §4.2.3, §4.2.4). */
const isAnswerOrSend = (version: OcppVersion, type: number | null): boolean =>
  type === 3 || type === 4 || (version === "2.1" && (type === 5 || type === 6));

const REFUSAL: Partial<Record<BrokenFrame["what"], Refusal>> = {
  "no-payload": "protocol",
  "too-deep": "malformed-payload",
};

function refuse(version: OcppVersion, broken: BrokenFrame, refusal: Refusal): string {
  return encodeCallError(
    broken.messageId ?? UNREADABLE_ID,
    CALL_ERROR_CODE[refusal][version],
    DESCRIPTION[broken.what],
  );
}
