import type { Span, Tracing } from "@dynamo-csms/proto/process/tracing";
import type { OutgoingCall, OutgoingCalls } from "../outbound/outgoing-calls.ts";
import type { FrameTraces } from "./frame-traces.ts";

export interface CommandTracesDeps {
  tracing: Tracing;
  outgoing: OutgoingCalls;
  frames: Pick<FrameTraces, "carry">;
}

/** The outgoing calls, where traces are recorded: a command that came with one goes on in it to its outcome, and to the lane. */
export function traceOutgoingCalls({ tracing, outgoing, frames }: CommandTracesDeps): OutgoingCalls {
  /** Of the calls that have no outcome yet. Each gets one. */
  const spans = new Map<string, Span>();

  function traced(call: OutgoingCall, facts: Record<string, string | number>): OutgoingCall {
    const { commandId, action } = call;
    const attributes = { "ocpp.action": action, command_id: commandId, ...facts };
    const span = tracing.follow(call.traceparent, { name: `send ${action}`, kind: "client", attributes });
    if (span === undefined) return call;
    spans.set(commandId, span);
    return {
      ...call,
      onOutcome(outcome) {
        spans.delete(commandId);
        const { state, sentAtMs, answeredAtMs } = outcome;
        const answeredAfterMs = sentAtMs === undefined || answeredAtMs === undefined ? -1 : answeredAtMs - sentAtMs;
        span.set({ state, ...(answeredAfterMs < 0 ? {} : { answered_after_ms: answeredAfterMs }) });
        try {
          call.onOutcome(outcome);
        } finally {
          span.end(state === "accepted" || state === "rejected" ? undefined : state);
        }
      },
    };
  }

  return {
    ...outgoing,
    enqueue: (session, call) =>
      outgoing.enqueue(session, traced(call, { station: session.identity, epoch: session.epoch })),
    refuse: (session, call, reason) =>
      outgoing.refuse(session, traced(call, { station: session.identity, epoch: session.epoch }), reason),
    settle(session, frame, text, bytes) {
      const span = spans.get(frame.messageId);
      const settle = () => outgoing.settle(session, frame, text, bytes);
      return span === undefined ? settle() : frames.carry(session, span.traceparent, settle);
    },
  };
}
