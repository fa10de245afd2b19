// Our CALLs: per connection a queue behind the one that is open (2.x Part 4 §4.1.1, J16 §4.1.1 "Synchronicity"). Each
// ends in exactly one outcome, which is reported at once to whoever asked and written into the lane for good.

import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { encodeCall } from "@dynamo-csms/proto/ocpp-frame";
import { FLAG_FLAGGED, FLAG_OUTBOUND } from "@dynamo-csms/proto/stream-entry";
import type { Logger } from "pino";
import type { LaneWriter } from "../inbound/lane-writer.ts";
import type { PayloadCheck } from "../inbound/payload-check.ts";
import { maskPaths } from "../inbound/mask-secrets.ts";
import { askedForBy, whyNotSend } from "../inbound/registration-gate.ts";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import { type AnswerFrame, readAnswer } from "./read-answer.ts";

/** One CALL for a station. */
export interface OutgoingCall {
  /** Also its OCPP message id. */
  commandId: string;
  action: string;
  /** JSON text, valid against its schema. */
  payload: string;
  /** Dot paths into the payload whose values are never stored. */
  secretPaths: readonly string[];
  callTimeoutMs: number;
  /** Unix ms: past it the call is not sent any more. */
  deadlineAtMs: number;
  /** Of the trace that it is part of: command-traces.ts. */
  traceparent?: string;
  /** Told once each; `sent` only if it was. */
  onSent(sentAtMs: number): void;
  onOutcome(outcome: CommandOutcome): void;
}

export interface OutgoingCallsDeps {
  nodeId: string;
  lane: Pick<LaneWriter, "append" | "appendEvent">;
  checkPayload: PayloadCheck;
  metrics: Pick<GatewayMetrics, "frames" | "callDuration" | "callsInFlight" | "commands" | "callResultErrors">;
  log: Logger;
  clock?: Clock;
}

export interface Clock {
  nowMs(): number;
  after(ms: number, run: () => void): { cancel(): void };
}

const realClock: Clock = {
  nowMs: Date.now,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** More than a person or a job has reason to send at a time; beyond it calls are refused, unsent. */
const MAX_QUEUED = 64;

/** How long a station may take for all of a message that it agreed to send: a report comes in many parts. */
const ASKED_FOR_MS = 10 * 60_000;

interface Line {
  queue: { call: OutgoingCall; expiry: { cancel(): void } }[];
  open: { call: OutgoingCall; sentAtMs: number; timer: { cancel(): void } } | undefined;
  /** What the station agreed to send → until when it may, by the clock. */
  askedFor: Map<string, number>;
}

export type OutgoingCalls = ReturnType<typeof createOutgoingCalls>;

/** All connections' outgoing CALLs. */
export function createOutgoingCalls(deps: OutgoingCallsDeps) {
  const { lane, metrics, nodeId } = deps;
  const clock = deps.clock ?? realClock;
  /** Of those that were ever sent a call: most never are. */
  const lines = new Map<Session, Line>();
  let stopping = false;

  function conclude(session: Session, call: OutgoingCall, outcome: CommandOutcome): void {
    metrics.commands.inc({ state: outcome.state });
    call.onOutcome(outcome);
    lane.appendEvent(session, { event: "commandOutcome", nodeId, commandId: call.commandId, outcome });
  }

  const neverSent = (session: Session, call: OutgoingCall, reason: string) =>
    conclude(session, call, { state: "not_connected", reason });

  /** Sends the next queued call, if none is open. */
  function next(session: Session, line: Line): void {
    while (line.open === undefined) {
      const queued = line.queue.shift();
      if (queued === undefined) break;
      queued.expiry.cancel();
      send(session, line, queued.call);
    }
  }

  function send(session: Session, line: Line, call: OutgoingCall): void {
    const why = whyNotSend(session.record.registration, call.action);
    if (why !== undefined) return neverSent(session, call, why);
    const sentAtMs = clock.nowMs();
    if (sentAtMs >= call.deadlineAtMs) return neverSent(session, call, "its deadline passed before it could be sent");
    const seq = session.nextSeq();
    if (!session.send(encodeCall(call.commandId, call.action, call.payload)))
      return neverSent(session, call, "the connection is gone");

    line.open = { call, sentAtMs, timer: clock.after(call.callTimeoutMs, () => timeOut(session, line, call)) };
    metrics.callsInFlight.inc({ direction: "out" });
    metrics.frames.inc({ direction: "out", type: "call", action: call.action, version: session.version });
    call.onSent(sentAtMs);
    const frame = encodeCall(call.commandId, call.action, maskPaths(call.payload, call.secretPaths));
    lane.append(session.prefix, FLAG_OUTBOUND, seq, sentAtMs, Buffer.from(frame, "utf8"), undefined, ignoreStored);
    lane.appendEvent(session, { event: "commandSent", nodeId, commandId: call.commandId, sentAtMs });
  }

  function timeOut(session: Session, line: Line, call: OutgoingCall): void {
    const sentAtMs = close(line, call, "timeout");
    conclude(session, call, { state: "timeout", reason: `no answer within ${call.callTimeoutMs} ms`, sentAtMs });
    next(session, line);
  }

  /** Ends the open call and says when it was sent. */
  function close(line: Line, call: OutgoingCall, outcome: string): number {
    const sentAtMs = line.open?.sentAtMs ?? clock.nowMs();
    line.open?.timer.cancel();
    line.open = undefined;
    metrics.callsInFlight.dec({ direction: "out" });
    metrics.callDuration.observe(
      { direction: "out", action: call.action, outcome },
      Math.max(0, clock.nowMs() - sentAtMs) / 1_000,
    );
    return sentAtMs;
  }

  return {
    /** The connection is gone: what was sent is `unknown` (perhaps done), what was not is `not_connected`. */
    sessionClosed(session: Session): void {
      const line = lines.get(session);
      if (line === undefined) return;
      lines.delete(session);
      const { open } = line;
      if (open !== undefined) {
        const sentAtMs = close(line, open.call, "unknown");
        conclude(session, open.call, { state: "unknown", reason: "the connection ended before the answer", sentAtMs });
      }
      for (const { call, expiry } of line.queue.splice(0)) {
        expiry.cancel();
        neverSent(session, call, "the connection ended before it could be sent");
      }
    },

    /** Queues the call behind the open one of this connection. Whatever happens, its onOutcome is told once. */
    enqueue(session: Session, call: OutgoingCall): void {
      if (!session.open) return neverSent(session, call, "the connection is gone");
      if (stopping) return neverSent(session, call, "the node that holds the connection is stopping");
      const line: Line = lines.get(session) ?? { queue: [], open: undefined, askedFor: new Map() };
      lines.set(session, line);
      if (line.queue.length >= MAX_QUEUED) return neverSent(session, call, "too many commands wait for this station");
      const expiry = clock.after(Math.max(0, call.deadlineAtMs - clock.nowMs()), () => {
        line.queue = line.queue.filter((queued) => queued.call !== call);
        neverSent(session, call, "its deadline passed before it could be sent");
      });
      line.queue.push({ call, expiry });
      next(session, line);
    },

    /** Ends a call that must not be sent, with the reason. */
    refuse: neverSent,

    /**
     * An answer of the station. False: no call with this id is open on this connection (late, or invented): drop it.
     * Never answered, but for 2.1, which says CALLRESULTERROR to a CALLRESULT that breaks its schema (Part 4 §4.2.3).
     */
    settle(session: Session, frame: AnswerFrame, text: string, bytes: Uint8Array): boolean {
      const line = lines.get(session);
      const call = line?.open?.call;
      if (line === undefined || call === undefined || frame.messageId !== call.commandId) return false;
      const answeredAtMs = clock.nowMs();
      const seq = session.nextSeq();
      const sentAtMs = close(line, call, frame.kind);
      const times = { sentAtMs, answeredAtMs, answeredAs: { epoch: session.epoch, seq } };
      const { outcome, stored, flagged, reply } = readAnswer({ session, call, frame, text, bytes, times }, deps);
      const told = reply === undefined ? undefined : { text: Buffer.from(reply, "utf8"), afterMs: 0 };
      lane.append(session.prefix, flagged ? FLAG_FLAGGED : 0, seq, answeredAtMs, stored, told, ignoreStored);
      // Only what the station accepted does it owe us; its answer comes before what it sends.
      const askedFor = outcome.state === "accepted" ? askedForBy(call.action, call.payload) : undefined;
      if (askedFor !== undefined) line.askedFor.set(askedFor, answeredAtMs + ASKED_FOR_MS);
      conclude(session, call, outcome);
      next(session, line);
      return true;
    },

    /** Whether we asked this connection for the message (TriggerMessage and the like), not long ago, and it agreed. */
    askedFor: (session: Session, action: string): boolean =>
      (lines.get(session)?.askedFor.get(action) ?? 0) > clock.nowMs(),

    /** A CALL to this connection waits for its answer. */
    isCalled: (session: Session): boolean => lines.get(session)?.open !== undefined,

    /** Sends nothing more: neither what waits for its turn, nor what comes from now on. Open CALLs may still be answered. */
    takeNoMore(): void {
      stopping = true;
      for (const [session, line] of lines) {
        for (const { call, expiry } of line.queue.splice(0)) {
          expiry.cancel();
          neverSent(session, call, "the node that holds the connection is stopping");
        }
      }
    },
  };
}

/** The message log's copy of a frame: nobody waits for it; the outcome event behind it is what counts. */
const ignoreStored = () => undefined;
