import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { CALL_ERROR_CODE } from "@dynamo-csms/proto/call-error";
import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { Frame } from "@dynamo-csms/proto/ocpp-frame";
import { maskSettings, TELLS_SETTINGS } from "../inbound/mask-secrets.ts";
import { rawPayload } from "../inbound/raw-payload.ts";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import { outcomeOfBrokenResult, outcomeOfCallError, outcomeOfResult, type CallTimes } from "./command-outcome.ts";

export type AnswerFrame = Extract<Frame, { kind: "callResult" | "callError" | "callResultError" }>;

interface ReceivedAnswer {
  session: Session;
  /** Of our CALL. */
  action: string;
  frame: Exclude<AnswerFrame, { kind: "callResultError" }>;
  text: string;
  bytes: Uint8Array;
  times: CallTimes;
}

/**
 * What a station's answer to a CALL of ours comes to, and the bytes to store of it: known secret settings masked. A result
 * that breaks its schema is told to the station where the version has a word for it (2.1 CALLRESULTERROR, Part 4 §4.2.3).
 */
export function readAnswer(
  { session, action, frame, text, bytes, times }: ReceivedAnswer,
  metrics: Pick<GatewayMetrics, "validationFailures">,
): { outcome: CommandOutcome; stored: Uint8Array } {
  if (frame.kind === "callError") return { outcome: outcomeOfCallError(frame, times), stored: bytes };
  const masked = TELLS_SETTINGS.has(action) ? maskSettings(frame.payload) : undefined;
  const response = masked === undefined ? rawPayload(text, "callResult", frame.payload) : JSON.stringify(masked);
  const stored = masked === undefined ? bytes : Buffer.from(JSON.stringify([3, frame.messageId, masked]), "utf8");
  const refusal = validatePayload(session.version, action, "response", frame.payload);
  if (refusal === undefined) return { outcome: outcomeOfResult(frame.payload, response, times), stored };
  metrics.validationFailures.inc({ action, version: session.version });
  if (session.version === "2.1") {
    const code = CALL_ERROR_CODE[refusal.refusal]["2.1"];
    session.send(
      `[5,${JSON.stringify(frame.messageId)},"${code}",${JSON.stringify(refusal.description.slice(0, 255))},{}]`,
    );
  }
  return { outcome: outcomeOfBrokenResult(session.version, refusal, response, times), stored };
}
