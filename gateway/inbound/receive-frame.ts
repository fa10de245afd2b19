// START HERE. Every frame of every station comes in at this door: CALLs go to accept-call.ts, answers to our own CALLs to
// outbound/outgoing-calls.ts, and what is no frame to broken-frame.ts. The two directions never wait for each other.

import { isUtf8 } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { CALL_ERROR_CODE } from "@dynamo-csms/proto/call-error";
import { decodeFrame, encodeCallError, type BrokenFrame, type Frame } from "@dynamo-csms/proto/ocpp-frame";
import type { GatewayMetrics } from "../metrics.ts";
import type { OutgoingCalls } from "../outbound/outgoing-calls.ts";
import type { AttemptLog } from "../sockets/attempt-log.ts";
import type { Session } from "../sockets/session.ts";
import { createAcceptCall } from "./accept-call.ts";
import { classOf } from "./action-class.ts";
import type { AnswerAloneDeps } from "./answer-alone.ts";
import { replyToBrokenFrame } from "./broken-frame.ts";
import { callRate, Conversation, MAX_WAITING_CALLS, type ConversationDeps, type TakeTurn } from "./conversation.ts";
import { decideCall, type DecideCallDeps } from "./decide-call.ts";
import type { DecisionsClient } from "./decisions-client.ts";
import type { LaneWriter } from "./lane-writer.ts";
import { StationBudget } from "./minute-budget.ts";
import { createOddFrames } from "./odd-frames.ts";
import type { PayloadCheck } from "./payload-check.ts";
import { createReceiveSend } from "./receive-send.ts";
import { isTransactionData } from "./transaction-data.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

export interface ReceiveFrameDeps {
  nodeId: string;
  lane: Pick<LaneWriter, "append" | "appendEvent">;
  decisions: Pick<DecisionsClient, "decide">;
  outgoing: Pick<OutgoingCalls, "settle" | "askedFor">;
  /** The station's list of attempts to connect, for whoever looks for the reason. */
  attempts: Pick<AttemptLog, "note">;
  checkPayload: PayloadCheck;
  /** Reads the authorization cache. */
  redis: AnswerAloneDeps["redis"];
  authorizeOffline: "deny" | "accept";
  decisionHoldMs: number;
  /** How many CALLs a connection may send, in the long run; the default is conversation.ts's. */
  callsPerSecond?: number;
  metrics: Pick<
    GatewayMetrics,
    | "frames"
    | "frameBytes"
    | "callDuration"
    | "backpressureDrops"
    | "decisions"
    | "unmatchedAnswers"
    | "callResultErrors"
  >;
  clock?: ReceiveClock;
}

export interface ReceiveClock {
  monotonicMs(): number;
  after(ms: number, run: () => void): void;
}

const realClock: ReceiveClock = {
  monotonicMs: () => performance.now(),
  after: (ms, run) => void setTimeout(run, ms),
};

/**
 * What needs a decision is held in memory until it is decided, and is short, but for transactions with their meter
 * values: those, the reports and all other edge messages may be as large as the socket lets in.
 */
const MAX_DECISION_BYTES = 128 * 1024;
/** For all connections together: while the control plane is slow, what waits for it must not fill the memory. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** Per station: what it may put into the message log beside its accepted CALLs, of each kind, and into our own log. */
const REFUSED_ENTRIES_PER_MINUTE = 20;
const ODD_ENTRIES_PER_MINUTE = 20;
const FLAGGED_LINES_PER_MINUTE = 5;
const WARNINGS_PER_MINUTE = 5;
const SECURITY_EVENTS_PER_MINUTE = 5;

/** @param bytes already a copy: the socket's own buffer is gone when the handler returns. */
export type ReceiveFrame = (session: Session, bytes: Uint8Array, isBinary: boolean) => void;

/** The handler of received frames. It returns at once and never throws for anything that a station can send. */
export function createReceiveFrame(deps: ReceiveFrameDeps): ReceiveFrame {
  const { lane, outgoing, metrics } = deps;
  const { monotonicMs, after } = deps.clock ?? realClock;
  const frameBytes = metrics.frameBytes.series({});
  const { callsPerSecond } = deps;
  const conversing: ConversationDeps = {
    waiting: new WaitingBytes(MAX_WAITING_BYTES),
    ...(callsPerSecond === undefined ? {} : { callRate: callRate(callsPerSecond) }),
    monotonicMs,
    after,
  };
  const warnings = new StationBudget(WARNINGS_PER_MINUTE);
  const securityEvents = new StationBudget(SECURITY_EVENTS_PER_MINUTE);
  const deciding: DecideCallDeps = {
    nodeId: deps.nodeId,
    decisions: deps.decisions,
    redis: deps.redis,
    authorizeOffline: deps.authorizeOffline,
    decisionHoldMs: deps.decisionHoldMs,
    onOutcome: (action, outcome) => metrics.decisions.inc({ action, outcome }),
    nowMs: Date.now,
    random: Math.random,
    monotonicMs,
    sleep,
  };
  const acceptCall = createAcceptCall({
    lane,
    decide: (session, call) => decideCall(session, call, deciding),
    askedFor: (session, action) => outgoing.askedFor(session, action),
    checkPayload: deps.checkPayload,
    foreignStation,
    refusedEntries: new StationBudget(REFUSED_ENTRIES_PER_MINUTE),
    flaggedLines: new StationBudget(FLAGGED_LINES_PER_MINUTE),
    metrics,
    nowMs: Date.now,
  });
  const keepOddFrame = createOddFrames({
    lane,
    entries: new StationBudget(ODD_ENTRIES_PER_MINUTE),
    nowMs: Date.now,
    monotonicMs,
  });
  const receiveSend = createReceiveSend({ lane, checkPayload: deps.checkPayload, keepOddFrame, metrics, monotonicMs });

  function conversationOf(session: Session): Conversation {
    if (session.conversation !== undefined) return session.conversation;
    const takeTurn: TakeTurn = (call) => acceptCall(session, conversation, call);
    const conversation: Conversation = new Conversation(session, takeTurn, conversing);
    session.conversation = conversation;
    return conversation;
  }

  /** A station that is let go comes back and does it again: its lines are rationed. */
  function warn(session: Session, facts: object, event: string): void {
    if (warnings.spend(session.identity, monotonicMs())) session.log.warn(facts, event);
  }

  function foreignStation(session: Session, detail: string): void {
    warn(session, { detail }, "serial number is not the certificate's");
    deps.attempts.note(session, "serial_number_mismatch", { detail });
    if (!securityEvents.spend(session.identity, monotonicMs())) return;
    const type = "InvalidChargingStationCertificate";
    lane.appendEvent(session, { event: "securityEvent", nodeId: deps.nodeId, type, techInfo: detail });
  }

  function receiveCall(
    session: Session,
    call: Extract<Frame, { kind: "call" }>,
    text: string,
    bytes: Uint8Array,
  ): void {
    const conversation = conversationOf(session);
    const { messageId, action, payload } = call;
    const needsDecision = classOf(session.version, action, false)?.class === "decision" && !isTransactionData(action);
    if (needsDecision && bytes.length > MAX_DECISION_BYTES) {
      warn(session, { action, bytes: bytes.length }, "call too large to be decided");
      const tooLarge = `a ${action} may have ${MAX_DECISION_BYTES} bytes at the most`;
      // Ahead of the answers that it waits behind: the connection ends with it.
      session.send(encodeCallError(messageId, CALL_ERROR_CODE["out-of-range"][session.version], tooLarge));
      return session.close(1009, tooLarge);
    }
    const numbers = { seq: session.nextSeq(), receivedAtMs: Date.now(), startedAtMs: monotonicMs() };
    const received = conversation.receive({ messageId, action, payload, text, bytes, ...numbers });
    if (received === "taken") return;
    if (received === "no-room") {
      metrics.backpressureDrops.inc({ why: "no-room" });
      return session.close(1013, "too much waits to be decided");
    }
    metrics.backpressureDrops.inc({ why: "pipelining" });
    warn(session, { waiting: MAX_WAITING_CALLS }, "station does not wait for its answers");
    session.close(1008, `more than ${MAX_WAITING_CALLS} CALLs without waiting for an answer`);
  }

  function receiveBroken(session: Session, broken: BrokenFrame, text: string): void {
    metrics.frames.inc({ direction: "in", type: "broken", action: "", version: session.version });
    session.log.debug({ what: broken.what, type: broken.type }, "broken frame");
    if (!conversationOf(session).brokenFrames.spend(monotonicMs())) {
      warn(session, { what: broken.what }, "too many broken frames");
      return session.close(1008, "too many broken frames");
    }
    const reply = replyToBrokenFrame(session.version, broken);
    if (reply !== undefined) session.send(reply);
    keepOddFrame(session, text, reply);
  }

  /** What the station thinks of our CALLRESULT (2.1): nothing can be done about it, and it is never answered (F10). */
  function receiveComplaint(session: Session, frame: Extract<Frame, { kind: "callResultError" }>, text: string): void {
    metrics.callResultErrors.inc({ direction: "in" });
    warn(session, { code: frame.code.slice(0, 50) }, "station refuses an answer of ours");
    keepOddFrame(session, text);
  }

  return (session, bytes, isBinary) => {
    if (!session.open) return;
    frameBytes.observe(bytes.length);
    if (isBinary) return session.close(1003, "OCPP-J is text");
    if (!isUtf8(bytes)) return session.close(1007, "not UTF-8");
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    const decoded = decodeFrame(text);
    if (!decoded.ok) return receiveBroken(session, decoded.error, text);

    const frame = decoded.value;
    // Before 2.1 there are no such message types.
    if (session.version !== "2.1" && (frame.kind === "send" || frame.kind === "callResultError"))
      return receiveBroken(
        session,
        { what: "unknown-type", messageId: frame.messageId, type: frame.kind === "send" ? 6 : 5 },
        text,
      );
    // A name that a station made up must not become a label.
    const isKnown = "action" in frame && classOf(session.version, frame.action, frame.kind === "send") !== undefined;
    const action = "action" in frame ? (isKnown ? frame.action : "unknown") : "";
    metrics.frames.inc({ direction: "in", type: frame.kind, action, version: session.version });
    switch (frame.kind) {
      case "call":
        return receiveCall(session, frame, text, bytes);
      case "send":
        return receiveSend(session, conversationOf(session), { frame, text, bytes });
      case "callResultError":
        return receiveComplaint(session, frame, text);
      case "callResult":
      case "callError":
        if (outgoing.settle(session, frame, text, bytes)) return;
        metrics.unmatchedAnswers.inc({ version: session.version });
        keepOddFrame(session, text);
    }
  };
}
