// START HERE. Every frame of every station comes in at this door: CALLs go to accept-call.ts, answers to our own CALLs to
// outbound/outgoing-calls.ts, and what is no frame to broken-frame.ts. The two directions never wait for each other.

import { isUtf8 } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { CALL_ERROR_CODE } from "@dynamo-csms/proto/call-error";
import { decodeFrame, encodeCallError, type BrokenFrame, type Frame } from "@dynamo-csms/proto/ocpp-frame";
import type { Logger } from "pino";
import type { GatewayMetrics } from "../metrics.ts";
import type { OutgoingCalls } from "../outbound/outgoing-calls.ts";
import type { Session } from "../sockets/session.ts";
import { createAcceptCall, storedBytes } from "./accept-call.ts";
import { classOf } from "./action-class.ts";
import type { AnswerAloneDeps } from "./answer-alone.ts";
import { replyToBrokenFrame } from "./broken-frame.ts";
import { Conversation, MAX_WAITING_CALLS, type TakeTurn } from "./conversation.ts";
import { decideCall, type DecideCallDeps } from "./decide-call.ts";
import type { DecisionsClient } from "./decisions-client.ts";
import type { LaneWriter } from "./lane-writer.ts";
import { mayCall } from "./registration-gate.ts";
import { isTransactionData } from "./transaction-data.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

export interface ReceiveFrameDeps {
  nodeId: string;
  lane: Pick<LaneWriter, "append">;
  decisions: Pick<DecisionsClient, "decide">;
  outgoing: Pick<OutgoingCalls, "settle" | "askedFor">;
  /** Reads the authorization cache. */
  redis: AnswerAloneDeps["redis"];
  authorizeOffline: "deny" | "accept";
  decisionHoldMs: number;
  metrics: Pick<
    GatewayMetrics,
    | "frames"
    | "frameBytes"
    | "callDuration"
    | "validationFailures"
    | "backpressureDrops"
    | "decisions"
    | "unmatchedAnswers"
  >;
  log: Logger;
}

/** SENDs of one connection that wait to be stored: more are dropped, as nobody waits for an answer. */
const MAX_WAITING_SENDS = 256;

/**
 * What needs a decision is held in memory until it is decided, and is short, but for transactions with their meter
 * values: those, the reports and all other edge messages may be as large as the socket lets in.
 */
const MAX_DECISION_BYTES = 128 * 1024;
/** For all connections together: while the control plane is slow, what waits for it must not fill the memory. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** @param bytes already a copy: the socket's own buffer is gone when the handler returns. */
export type ReceiveFrame = (session: Session, bytes: Uint8Array, isBinary: boolean) => void;

/** The handler of received frames. It returns at once and never throws for anything that a station can send. */
export function createReceiveFrame(deps: ReceiveFrameDeps): ReceiveFrame {
  const { lane, outgoing, metrics } = deps;
  const conversations = new WeakMap<Session, Conversation>();
  const waiting = new WaitingBytes(MAX_WAITING_BYTES);
  const deciding: DecideCallDeps = {
    nodeId: deps.nodeId,
    decisions: deps.decisions,
    redis: deps.redis,
    authorizeOffline: deps.authorizeOffline,
    decisionHoldMs: deps.decisionHoldMs,
    onOutcome: (action, outcome) => metrics.decisions.inc({ action, outcome }),
    nowMs: Date.now,
    random: Math.random,
    monotonicMs: () => performance.now(),
    sleep,
  };
  const acceptCall = createAcceptCall({
    lane,
    decide: (session, call) => decideCall(session, call, deciding),
    askedFor: (session, action) => outgoing.askedFor(session, action),
    metrics,
    nowMs: Date.now,
  });

  function conversationOf(session: Session): Conversation {
    const known = conversations.get(session);
    if (known !== undefined) return known;
    const takeTurn: TakeTurn = (call) => acceptCall(session, conversation, call);
    const conversation: Conversation = new Conversation(session, takeTurn, waiting);
    conversations.set(session, conversation);
    return conversation;
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
      session.log.warn({ action, bytes: bytes.length }, "call too large to be decided");
      const tooLarge = `a ${action} may have ${MAX_DECISION_BYTES} bytes at the most`;
      // Ahead of the answers that it waits behind: the connection ends with it.
      session.send(encodeCallError(messageId, CALL_ERROR_CODE["out-of-range"][session.version], tooLarge));
      return session.close(1009, tooLarge);
    }
    const numbers = { seq: session.nextSeq(), receivedAtMs: Date.now(), startedAtMs: performance.now() };
    const received = conversation.receive({ messageId, action, payload, text, bytes, ...numbers });
    if (received === "taken") return;
    if (received === "no-room") {
      metrics.backpressureDrops.inc({ why: "no-room" });
      return session.close(1013, "too much waits to be decided");
    }
    metrics.backpressureDrops.inc({ why: "pipelining" });
    session.log.warn({ waiting: MAX_WAITING_CALLS }, "station does not wait for its answers");
    session.close(1008, `more than ${MAX_WAITING_CALLS} CALLs without waiting for an answer`);
  }

  /** Stored when it may be sent and is valid; never answered, not even with an error (2.1 Part 4 §4.2.4). */
  function receiveSend(session: Session, send: Extract<Frame, { kind: "send" }>, bytes: Uint8Array): void {
    const { messageId, action, payload } = send;
    const conversation = conversationOf(session);
    if (
      classOf(session.version, action, true) === undefined ||
      !mayCall(session.record.registration, action, () => false)
    )
      return;
    if (validatePayload(session.version, action, "request", payload) !== undefined)
      return metrics.validationFailures.inc({ action, version: session.version });
    if (conversation.waitingSends >= MAX_WAITING_SENDS) return metrics.backpressureDrops.inc({ why: "send" });
    conversation.waitingSends += 1;
    lane.append(
      session.prefix,
      0,
      session.nextSeq(),
      Date.now(),
      storedBytes({ messageId, action, payload, bytes }, 6),
      undefined,
      () => {
        conversation.waitingSends -= 1;
      },
    );
  }

  function receiveBroken(session: Session, broken: BrokenFrame): void {
    metrics.frames.inc({ direction: "in", type: "broken", action: "", version: session.version });
    session.log.debug({ what: broken.what, type: broken.type }, "broken frame");
    if (!conversationOf(session).brokenFrames.spend(performance.now())) {
      session.log.warn({ what: broken.what }, "too many broken frames");
      return session.close(1008, "too many broken frames");
    }
    const reply = replyToBrokenFrame(session.version, broken);
    if (reply !== undefined) session.send(reply);
  }

  return (session, bytes, isBinary) => {
    if (!session.open) return;
    metrics.frameBytes.observe(bytes.length);
    if (isBinary) return session.close(1003, "OCPP-J is text");
    if (!isUtf8(bytes)) return session.close(1007, "not UTF-8");
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    const decoded = decodeFrame(text);
    if (!decoded.ok) return receiveBroken(session, decoded.error);

    const frame = decoded.value;
    // A name that a station made up must not become a label.
    const isKnown = "action" in frame && classOf(session.version, frame.action, frame.kind === "send") !== undefined;
    const action = "action" in frame ? (isKnown ? frame.action : "unknown") : "";
    metrics.frames.inc({ direction: "in", type: frame.kind, action, version: session.version });
    switch (frame.kind) {
      case "call":
        return receiveCall(session, frame, text, bytes);
      case "send":
        // Before 2.1 there is no such message type.
        if (session.version === "2.1") return receiveSend(session, frame, bytes);
        return receiveBroken(session, { what: "unknown-type", messageId: frame.messageId, type: 6 });
      case "callResult":
      case "callError":
      case "callResultError":
        if (!outgoing.settle(session, frame, text, bytes)) metrics.unmatchedAnswers.inc({ version: session.version });
    }
  };
}
