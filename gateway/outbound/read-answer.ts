import { CALL_ERROR_CODE } from "@dynamo-csms/proto/call-error";
import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { encodeCallResultError, type Frame } from "@dynamo-csms/proto/ocpp-frame";
import { echoMask, maskSettings, TELLS_SETTINGS } from "../inbound/mask-secrets.ts";
import type { PayloadCheck } from "../inbound/payload-check.ts";
import { rawPayload } from "../inbound/raw-payload.ts";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import { outcomeOfBrokenResult, outcomeOfCallError, outcomeOfResult, type CallTimes } from "./command-outcome.ts";

export type AnswerFrame = Extract<Frame, { kind: "callResult" | "callError" }>;

interface ReceivedAnswer {
  session: Session;
  /** What it answers. */
  call: { action: string; payload: string; secretPaths: readonly string[] };
  frame: AnswerFrame;
  text: string;
  bytes: Uint8Array;
  times: CallTimes;
}

interface ReadAnswerDeps {
  checkPayload: PayloadCheck;
  metrics: Pick<GatewayMetrics, "callResultErrors">;
}

export interface ReadAnswer {
  outcome: CommandOutcome;
  /** The bytes to store of it: known secret settings masked. */
  stored: Uint8Array;
  /** It breaks its schema. */
  flagged: boolean;
  /** What the station was told about it (2.1). */
  reply?: string;
}

/**
 * What a station's answer to a CALL of ours comes to. A result that breaks its schema is told to the station where the
 * version has a word for it (2.1 CALLRESULTERROR, Part 4 §4.2.3).
 */
export function readAnswer(answer: ReceivedAnswer, deps: ReadAnswerDeps): ReadAnswer {
  const read = judge(answer, deps);
  const { payload, secretPaths } = answer.call;
  if (secretPaths.length === 0) return read;
  const mask = echoMask(payload, secretPaths);
  const { outcome, stored } = read;
  return {
    ...read,
    outcome: maskTexts(outcome, mask) as CommandOutcome,
    stored: Buffer.from(mask(Buffer.from(stored).toString("utf8")), "utf8"),
  };
}

function judge({ session, call, frame, text, bytes, times }: ReceivedAnswer, deps: ReadAnswerDeps): ReadAnswer {
  const { action } = call;
  if (frame.kind === "callError") return { outcome: outcomeOfCallError(frame, times), stored: bytes, flagged: false };
  const masked = TELLS_SETTINGS.has(action) ? maskSettings(frame.payload) : undefined;
  const response = masked === undefined ? rawPayload(text, "callResult", frame.payload) : JSON.stringify(masked);
  const stored = masked === undefined ? bytes : Buffer.from(JSON.stringify([3, frame.messageId, masked]), "utf8");
  const refusal = deps.checkPayload(session, action, "response", frame.payload);
  if (refusal === undefined)
    return { outcome: outcomeOfResult(frame.payload, response, times), stored, flagged: false };
  const outcome = outcomeOfBrokenResult(session.version, refusal, response, times);
  if (session.version !== "2.1") return { outcome, stored, flagged: true };
  const reply = encodeCallResultError(frame.messageId, CALL_ERROR_CODE[refusal.refusal]["2.1"], refusal.description);
  session.send(reply);
  deps.metrics.callResultErrors.inc({ direction: "out" });
  return { outcome, stored, flagged: true, reply };
}

/** Some stations repeat in their answer what they were sent. */
function maskTexts(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((part) => maskTexts(part, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, maskTexts(part, mask)]));
}
