import { type BrokenFrame, decodeFrame, type Frame } from "@dynamo-csms/proto/ocpp-frame";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Result } from "@dynamo-csms/proto/result";
import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import type { KnownStation } from "../stations/known-station.ts";
import { headOf, mayNestTooDeep, payloadTextAt } from "./frame-head.ts";
import { payloadTextOf } from "./payload-text.ts";
import type { ReceivedCall } from "./step.ts";

/** What a frame is. */
export interface ReadFrame {
  /** Of a CALL or SEND. */
  action: string | null;
  messageId: string | null;
  /** The CALL or SEND; undefined for answers and for what is no frame. */
  call: LaneCall | undefined;
}

/** Actions whose payload the fast ways of their steps do not need. */
const READ_BY_STEP: ReadonlySet<string> = new Set(["MeterValues"]);
const NO_PAYLOAD = {};

/**
 * Reads a frame once, and of most frames only what their step asks for. What the gateway flagged, answered with an error
 * or sent itself is read with every tolerance (decodeFrame).
 */
export function readFrame(frame: LaneFrame, station: KnownStation): ReadFrame {
  return readValidCall(frame, station) ?? readAny(frame, station);
}

function readValidCall(frame: LaneFrame, station: KnownStation): ReadFrame | undefined {
  if (frame.flagged || frame.answer !== undefined || frame.kind !== "inbound") return undefined;
  const { text } = frame;
  const head = headOf(text);
  if (head === undefined) return undefined;
  const { messageId, action, payloadAt } = head;
  // The whole of nearly every Heartbeat.
  if (text.length === payloadAt + 3 && text.endsWith("{}]"))
    return { action, messageId, call: new LaneCall(frame, station, action, "{}", NO_PAYLOAD) };
  const payloadText = payloadTextAt(text, payloadAt);
  if (frame.version === "1.6" && READ_BY_STEP.has(action))
    return { action, messageId, call: new LaneCall(frame, station, action, payloadText, undefined) };
  if (mayNestTooDeep(text)) return undefined;
  try {
    return { action, messageId, call: new LaneCall(frame, station, action, payloadText, JSON.parse(payloadText)) };
  } catch {
    return undefined;
  }
}

function readAny(frame: LaneFrame, station: KnownStation): ReadFrame {
  const decoded = decodeFrame(frame.text);
  const messageId = decoded.ok ? decoded.value.messageId : null;
  if (!isCall(decoded)) return { action: null, messageId, call: undefined };
  const { action, payload } = decoded.value;
  return { action, messageId, call: new LaneCall(frame, station, action, undefined, payload) };
}

type Call = Extract<Frame, { kind: "call" | "send" }>;
const isCall = (decoded: Result<Frame, BrokenFrame>): decoded is { ok: true; value: Call } =>
  decoded.ok && (decoded.value.kind === "call" || decoded.value.kind === "send");

/** A CALL or SEND of a lane; what costs to read is read when it is asked for. */
export class LaneCall implements ReceivedCall {
  readonly station: KnownStation;
  readonly action: string;
  readonly answer: object | undefined;
  /** It was answered with an error, or in silence. */
  readonly refused: boolean;
  readonly #frame: LaneFrame;
  #payload: unknown;
  #payloadText: string | undefined;
  #receivedAt: Date | undefined;

  /** @param payloadText undefined: not cut out yet. @param payload undefined: not parsed yet. */
  constructor(
    frame: LaneFrame,
    station: KnownStation,
    action: string,
    payloadText: string | undefined,
    payload: unknown,
  ) {
    this.#frame = frame;
    this.station = station;
    this.action = action;
    this.#payloadText = payloadText;
    this.#payload = payload;
    this.answer = frame.answer === undefined ? undefined : resultIn(frame.answer);
    this.refused = frame.answer !== undefined && this.answer === undefined;
  }

  get version(): OcppVersion {
    return this.#frame.version;
  }

  get epoch(): number {
    return this.#frame.epoch;
  }

  get seq(): number {
    return this.#frame.seq;
  }

  get receivedAt(): Date {
    return (this.#receivedAt ??= new Date(this.#frame.receivedAtMs));
  }

  /** @throws SyntaxError for a payload that was put off and is no JSON: no gateway writes that. */
  get payload(): unknown {
    return (this.#payload ??= JSON.parse(this.payloadText));
  }

  get payloadText(): string {
    return (this.#payloadText ??= payloadTextOf(this.#frame.text));
  }
}

/** The payload of a CALLRESULT. */
function resultIn(answer: string): object | undefined {
  const reply = decodeFrame(answer);
  return reply.ok && reply.value.kind === "callResult" && typeof reply.value.payload === "object"
    ? (reply.value.payload ?? undefined)
    : undefined;
}
