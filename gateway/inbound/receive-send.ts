import type { Frame } from "@dynamo-csms/proto/ocpp-frame";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import { classOf } from "./action-class.ts";
import type { Conversation } from "./conversation.ts";
import type { LaneWriter } from "./lane-writer.ts";
import type { KeepOddFrame } from "./odd-frames.ts";
import type { PayloadCheck } from "./payload-check.ts";
import { mayCall } from "./registration-gate.ts";
import { storedBytes } from "./stored-bytes.ts";

export interface ReceiveSendDeps {
  lane: Pick<LaneWriter, "append">;
  checkPayload: PayloadCheck;
  keepOddFrame: KeepOddFrame;
  metrics: Pick<GatewayMetrics, "backpressureDrops">;
  monotonicMs(): number;
}

/** A SEND as it came. */
export interface ReceivedSend {
  frame: Extract<Frame, { kind: "send" }>;
  text: string;
  bytes: Uint8Array;
}

/** SENDs of one connection that wait to be stored: more are dropped, as nobody waits for an answer. */
const MAX_WAITING_SENDS = 256;

/** SENDs (2.1): stored when they may be sent and are valid; never answered, not even with an error (Part 4 §4.2.4). */
export function createReceiveSend(deps: ReceiveSendDeps) {
  const { lane, metrics } = deps;
  return (session: Session, conversation: Conversation, { frame, text, bytes }: ReceivedSend): void => {
    const { messageId, action, payload } = frame;
    if (!conversation.sends.take(deps.monotonicMs())) return metrics.backpressureDrops.inc({ why: "send-rate" });
    const isWelcome =
      classOf(session.version, action, true) !== undefined &&
      mayCall(session.record.registration, action, () => false) &&
      deps.checkPayload(session, action, "request", payload) === undefined;
    if (!isWelcome) return deps.keepOddFrame(session, text);
    if (conversation.waitingSends >= MAX_WAITING_SENDS) return metrics.backpressureDrops.inc({ why: "send" });
    conversation.waitingSends += 1;
    const stored = storedBytes({ messageId, action, payload, bytes }, 6);
    lane.append(session.prefix, 0, session.nextSeq(), Date.now(), stored, undefined, () => {
      conversation.waitingSends -= 1;
    });
  };
}
