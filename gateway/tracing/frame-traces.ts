// A CALL's trace begins here, in front of the doors that every frame comes in by, and goes on in the lane's entries. All of it
// is put around what the process is made of when it is composed: without tracing none of it is there, and the way of a frame
// is what it was. A frame that is recorded takes the long way; of all others is decided once, before anything is looked at.

import type { Span, Tracing } from "@dynamo-csms/proto/process/tracing";
import { classOf } from "../inbound/action-class.ts";
import type { DecisionsClient } from "../inbound/decisions-client.ts";
import type { LaneWriter } from "../inbound/lane-writer.ts";
import type { ReceiveFrame } from "../inbound/receive-frame.ts";
import type { TakePlainCall } from "../inbound/take-plain-call.ts";
import type { Session } from "../sockets/session.ts";

export interface FrameTracesDeps {
  tracing: Tracing;
  nodeId: string;
  lane: Pick<LaneWriter, "append" | "appendEvent">;
  decisions: Pick<DecisionsClient, "decide">;
  /** Monotonic. */
  nowMs(): number;
}

interface OpenFrame {
  key: string;
  span: Span;
  action: string;
  startedAtMs: number;
}

/** A frame that never gets into the lane (refused, and not kept for the message log) is given up after this. */
const OPEN_MS = 60_000;
const MAX_OPEN = 1_000;
/** A CALL's or SEND's head: up to the action stands what J §4.2 wants there. Longer ones are traced without a name. */
const HEAD_BYTES = 300;
const HEAD = /^\s*\[\s*([26])\s*,\s*"(?:[^"\\]|\\.)*"\s*,\s*"([A-Za-z0-9]{1,50})"/;

export type FrameTraces = ReturnType<typeof createFrameTraces>;

/** What takes the place of the lane, the client of decisions and the two doors, where traces are recorded. */
export function createFrameTraces(deps: FrameTracesDeps) {
  const { tracing, nodeId, nowMs } = deps;
  const open = new Map<string, OpenFrame>();
  /** Whose frames are open, by what a frame in the lane is known by. */
  const sessions = new WeakMap<Buffer, Session>();
  /** Decided at the first door, for the second. */
  let decided: boolean | undefined;
  /** The answer to a CALL of ours that is stored next: its command's trace. */
  let carried: string | undefined;

  function close(frame: OpenFrame, problem?: string): void {
    open.delete(frame.key);
    frame.span.end(problem);
  }

  /** Those that were opened first come first. */
  function closeForgotten(): void {
    for (const frame of open.values()) {
      if (open.size < MAX_OPEN && nowMs() - frame.startedAtMs < OPEN_MS) return;
      close(frame, "not stored");
    }
  }

  function begin(session: Session, bytes: Uint8Array, action: string, seq: number): OpenFrame {
    closeForgotten();
    const span = tracing.start({
      name: `receive ${action}`,
      kind: "server",
      attributes: {
        "ocpp.action": action,
        "ocpp.version": session.version,
        "ocpp.frame.bytes": bytes.length,
        station: session.identity,
        epoch: session.epoch,
        seq,
      },
    });
    const frame = { key: keyOf(session.identity, session.epoch, seq), span, action, startedAtMs: nowMs() };
    open.set(frame.key, frame);
    sessions.set(session.prefix, session);
    return frame;
  }

  function tellTrace(session: Session, seq: number, traceparent: string): void {
    const { identity, epoch } = session;
    deps.lane.appendEvent(null, { event: "traced", nodeId, identity, epoch, seq, traceparent });
  }

  return {
    lane: {
      append(prefix, flags, seq, atMs, text, answer, done) {
        const session = sessions.get(prefix);
        if (session === undefined) return deps.lane.append(prefix, flags, seq, atMs, text, answer, done);
        const frame = open.get(keyOf(session.identity, session.epoch, seq));
        if (frame === undefined) {
          if (carried !== undefined) tellTrace(session, seq, carried);
          carried = undefined;
          return deps.lane.append(prefix, flags, seq, atMs, text, answer, done);
        }
        const parent = frame.span.traceparent;
        const write = tracing.start({ name: `store ${frame.action}`, kind: "producer", parent });
        tellTrace(session, seq, write.traceparent);
        deps.lane.append(prefix, flags, seq, atMs, text, answer, (stored, entry) => {
          const problem = stored ? undefined : "not stored";
          write.end(problem);
          try {
            done(stored, entry);
          } finally {
            close(frame, problem);
          }
        });
      },
      appendEvent: (session, event) => deps.lane.appendEvent(session, event),
    } satisfies Pick<LaneWriter, "append" | "appendEvent">,

    decisions: {
      async decide(call, timeoutMs) {
        const frame = open.get(keyOf(call.identity, call.epoch, call.seq));
        if (frame === undefined) return deps.decisions.decide(call, timeoutMs);
        const parent = frame.span.traceparent;
        const span = tracing.start({ name: `ask for ${frame.action}`, kind: "client", parent });
        const decision = await deps.decisions.decide({ ...call, traceparent: span.traceparent }, timeoutMs);
        span.end(decision.kind === "unavailable" ? decision.reason : undefined);
        return decision;
      },
    } satisfies Pick<DecisionsClient, "decide">,

    /** The short way, for frames that are not recorded. */
    takePlainCall:
      (take: TakePlainCall): TakePlainCall =>
      (session, frame) => {
        decided = tracing.samples();
        return !decided && take(session, frame);
      },

    receiveFrame:
      (receive: ReceiveFrame): ReceiveFrame =>
      (session, bytes, isBinary) => {
        const sampled = decided ?? tracing.samples();
        decided = undefined;
        const action = sampled && !isBinary ? actionOf(session, bytes) : undefined;
        if (action === undefined) return receive(session, bytes, isBinary);
        const seq = session.lastSeq + 1;
        const frame = begin(session, bytes, action, seq);
        tracing.run(frame.span, () => receive(session, bytes, isBinary));
        // It got no number: nothing will be stored of it.
        if (session.lastSeq < seq) close(frame, "not taken");
      },

    /** What is stored first while `work` runs belongs to this trace. */
    carry<T>(session: Session, traceparent: string, work: () => T): T {
      sessions.set(session.prefix, session);
      carried = traceparent;
      try {
        return work();
      } finally {
        carried = undefined;
      }
    },
  };
}

const keyOf = (identity: string, epoch: number, seq: number) => `${epoch}/${seq}/${identity}`;

/** The action of a CALL or SEND, "unknown" for one that a station made up; undefined: another frame. */
function actionOf(session: Session, bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString("utf8");
  const [, type, action] = HEAD.exec(head) ?? [];
  if (action === undefined) return undefined;
  return classOf(session.version, action, type === "6") === undefined ? "unknown" : action;
}
