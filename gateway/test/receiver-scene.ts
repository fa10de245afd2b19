import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { FLAG_FLAGGED } from "@dynamo-csms/proto/stream-entry";
import { pino } from "pino";
import type { Decision } from "../inbound/decisions-client.ts";
import { EntryPacker } from "../inbound/entry-packer.ts";
import type { LaneWriter } from "../inbound/lane-writer.ts";
import { createPayloadCheck } from "../inbound/payload-check.ts";
import { createReceiveFrame } from "../inbound/receive-frame.ts";
import { createTakePlainCall, type TakePlainCallDeps } from "../inbound/take-plain-call.ts";
import { createMetrics } from "../metrics.ts";
import { createOutgoingCalls } from "../outbound/outgoing-calls.ts";
import { Session, type SessionFacts } from "../sockets/session.ts";

export interface StoredFrame {
  text: string;
  answer: string | undefined;
  flagged: boolean;
}

/** Everything of a gateway between the socket and the lane, in this process: what comes in, and what it leads to. */
export interface ReceiverScene {
  connect(
    version: OcppVersion,
    record?: Partial<StationRecord>,
    clientCertificate?: SessionFacts["clientCertificate"],
  ): ReceiverConnection;
  stored: StoredFrame[];
  events: LaneEvent[];
  /** Lets so much time pass. */
  pass(ms: number): void;
  outgoing: ReturnType<typeof createOutgoingCalls>;
  metrics: ReturnType<typeof createMetrics>;
  logLines: string[];
  /** Outcomes that were noted in the station's list of attempts. */
  attempts: string[];
}

export interface ReceiverConnection {
  session: Session;
  /** What the station got. */
  sent: string[];
  closed: { code: number; reason: string }[];
  /** @param bytes as the socket would hand them over: the receiver's to keep */
  receive(text: string, bytes?: Uint8Array): void;
}

/** Everything that was asked for so far is dealt with when this resolves. */
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

let connections = 0;

/** The lane's entries of one turn, told as soon as it is over. */
function startLane(stores: boolean, stored: StoredFrame[], events: LaneEvent[]) {
  const packer = new EntryPacker({ entryFrames: 512, entryBytes: 256 * 1024 }, () => 0);
  let flushDue = false;
  function appended(frame: StoredFrame): void {
    stored.push(frame);
    if (flushDue || !stores) return;
    flushDue = true;
    setImmediate(() => {
      flushDue = false;
      const { waiting, bytes } = packer.take();
      for (const done of waiting) done(true, bytes);
    });
  }
  const lane: Pick<LaneWriter, "append" | "appendEvent" | "stage" | "stagedBytes" | "tellsLast" | "appendStaged"> = {
    append(prefix, flags, seq, atMs, text, answer, done) {
      packer.add(prefix, flags, seq, atMs, text, answer, done);
      appended({
        text: Buffer.from(text).toString(),
        answer: answer === undefined ? undefined : Buffer.from(answer.text).toString(),
        flagged: (flags & FLAG_FLAGGED) !== 0,
      });
    },
    appendEvent: (_session, event) => void events.push(event),
    stage: (prefix, _atMs, text) => packer.stage(prefix.length, text),
    get stagedBytes() {
      return packer.bytesSoFar;
    },
    tellsLast: (done) => packer.tellsLast(done),
    appendStaged(prefix, seq, atMs, length, done) {
      packer.addStaged(prefix, seq, atMs, length, done);
      const text = Buffer.from(packer.bytesSoFar.subarray(packer.bytes - length, packer.bytes)).toString();
      appended({ text, answer: undefined, flagged: false });
    },
  };
  return lane;
}

export interface ReceiverOptions {
  decide?: (action: string, version: string) => Promise<Decision>;
  /** False: nothing ever becomes durable. */
  stores?: boolean;
  /** With the short way of plain CALLs; absent: without. */
  scanners?: TakePlainCallDeps["scanners"];
}

export function startReceiver(options: ReceiverOptions = {}): ReceiverScene {
  const stored: StoredFrame[] = [];
  const events: LaneEvent[] = [];
  const logLines: string[] = [];
  const attempts: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void logLines.push(line) });
  const metrics = createMetrics({ version: "test", nodeId: "node-1" });
  let nowMs = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  const after = (ms: number, run: () => void) => {
    const timer = { atMs: nowMs + ms, run };
    timers.push(timer);
    return { cancel: () => void (timers = timers.filter((other) => other !== timer)) };
  };
  const lane = startLane(options.stores ?? true, stored, events);
  const checkPayload = createPayloadCheck({ nodeId: "node-1", lane, metrics, after });
  const clock = { nowMs: () => nowMs, after };
  const outgoing = createOutgoingCalls({ nodeId: "node-1", lane, checkPayload, metrics, log, clock });
  const receiveFrame = createReceiveFrame({
    nodeId: "node-1",
    lane,
    decisions: {
      decide: ({ action, ocppVersion }) =>
        options.decide?.(action, ocppVersion) ?? Promise.resolve({ kind: "result", payload: "{}" }),
    },
    outgoing,
    checkPayload,
    attempts: { note: (_session, outcome) => void attempts.push(outcome) },
    redis: { hget: () => Promise.resolve(null) },
    authorizeOffline: "deny",
    decisionHoldMs: 0,
    metrics,
    clock: { monotonicMs: () => nowMs, after },
  });
  const { scanners } = options;
  const takePlainCall =
    scanners === undefined ? () => false : createTakePlainCall({ lane, scanners, metrics, monotonicMs: () => nowMs });
  return {
    stored,
    events,
    outgoing,
    metrics,
    logLines,
    attempts,
    connect(version, record = {}, clientCertificate) {
      const sent: string[] = [];
      const closed: { code: number; reason: string }[] = [];
      const facts: SessionFacts = {
        identity: "cs-1" as StationIdentity,
        version,
        epoch: ++connections,
        record: { registration: "accepted", heartbeatIntervalSeconds: 300, ...record } as StationRecord,
        remoteAddress: "",
        ...(clientCertificate && { clientCertificate }),
      };
      const session = new Session(
        facts,
        {
          send: (text) => sent.push(typeof text === "string" ? text : Buffer.from(text).toString()) > 0,
          close: (code, reason) => void closed.push({ code, reason }),
          answersPing: () => Promise.resolve(true),
          recordChanged: () => undefined,
        },
        log,
      );
      return {
        session,
        sent,
        closed,
        receive(text, bytes = Buffer.from(text, "utf8")) {
          if (!takePlainCall(session, bytes)) receiveFrame(session, bytes, false);
        },
      };
    },
    pass(ms) {
      for (const untilMs = nowMs + ms; nowMs < untilMs;) {
        nowMs = Math.min(untilMs, Math.max(nowMs + 1, ...[Math.min(...timers.map(({ atMs }) => atMs), untilMs)]));
        const due = timers.filter(({ atMs }) => atMs <= nowMs);
        timers = timers.filter(({ atMs }) => atMs > nowMs);
        for (const { run } of due) run();
      }
    },
  };
}
