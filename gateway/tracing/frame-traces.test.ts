import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { createTracing, type SpanStart } from "@dynamo-csms/proto/process/tracing";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { decodeEntry, EntryBuilder, FLAG_EVENT, framePrefix } from "@dynamo-csms/proto/stream-entry";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { LaneWriter } from "../inbound/lane-writer.ts";
import type { ReceiveFrame } from "../inbound/receive-frame.ts";
import { Session } from "../sockets/session.ts";
import { createFrameTraces } from "./frame-traces.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const HEARTBEAT = '[2,"1","Heartbeat",{}]';
const NODE = framePrefix("1.6", 0, "");

/** A lane that packs what it gets, spans that are remembered, and a receiver that stores each CALL at once. */
function scene(ratio: number, stores = true) {
  const spans: (SpanStart & { ended?: string })[] = [];
  let timeMs = 0;
  const tracing = createTracing(
    { parentBased: true, ratio },
    {
      start(start) {
        const span: (typeof spans)[number] = { ...start };
        spans.push(span);
        const traceparent = `00-${TRACE}-${String(spans.length).padStart(16, "0")}-01`;
        return { traceId: TRACE, traceparent, set: () => {}, end: (problem) => (span.ended ??= problem ?? "well") };
      },
      stop: async () => {},
    },
  );
  const builder = new EntryBuilder();
  const events: LaneEvent[] = [];
  const told: (() => void)[] = [];
  const lane: Pick<LaneWriter, "append" | "appendEvent"> = {
    append(prefix, flags, seq, atMs, text, answer, done) {
      builder.add(prefix, flags, seq, atMs, text, answer);
      told.push(() => done(stores, Buffer.alloc(0)));
    },
    appendEvent(_session, event) {
      events.push(event);
      builder.add(NODE, FLAG_EVENT, events.length, 1_000, Buffer.from(JSON.stringify(event)), undefined);
    },
  };
  const asked: (string | undefined)[] = [];
  const decisions = {
    async decide(call: { traceparent?: string | undefined }) {
      asked.push(call.traceparent);
      return { kind: "result", payload: "{}" } as const;
    },
  };
  const traces = createFrameTraces({ tracing, nodeId: "gw", lane, decisions, nowMs: () => timeMs });
  const socket = { send: () => true, close: () => {}, answersPing: async () => true, recordChanged: () => {} };
  const facts = { orgId: "org", rev: 1, registration: "accepted", heartbeatIntervalSeconds: 60 } as const;
  const session = new Session(
    { identity: "cp_1" as StationIdentity, version: "1.6", epoch: 9, record: facts, remoteAddress: "::1" },
    socket,
    pino({ level: "silent" }),
  );
  const store: ReceiveFrame = (on, bytes) => {
    traces.lane.append(on.prefix, 0, on.nextSeq(), 1_000, bytes, undefined, () => {});
  };
  return {
    traces,
    session,
    spans,
    events,
    asked,
    tracing,
    pass: (ms: number) => void (timeMs += ms),
    tellStored: () => told.splice(0).forEach((tell) => tell()),
    receive: (text: string, receiver = store) => traces.receiveFrame(receiver)(session, Buffer.from(text), false),
    entry: () => builder.finish(),
  };
}

test("a frame that is recorded stands behind a word on its trace, and is what it is without", () => {
  const recorded = scene(1);
  const plain = scene(0);
  for (const each of [recorded, plain]) each.receive(HEARTBEAT);
  expect(recorded.events).toEqual([
    {
      event: "traced",
      nodeId: "gw",
      identity: "cp_1",
      epoch: 9,
      seq: 1,
      traceparent: `00-${TRACE}-0000000000000002-01`,
    },
  ]);
  const [word, frame] = decodeEntry(recorded.entry());
  expect(word).toMatchObject({ kind: "event", identity: "" });
  expect([frame]).toEqual(decodeEntry(plain.entry()));
  expect(recorded.spans.map(({ name, ended }) => [name, ended])).toEqual([
    ["receive Heartbeat", undefined],
    ["store Heartbeat", undefined],
  ]);
  recorded.tellStored();
  expect(recorded.spans.map(({ ended }) => ended)).toEqual(["well", "well"]);
});

test("an entry of frames that are not recorded is byte for byte that of a gateway without tracing", () => {
  const off = scene(0);
  off.receive(HEARTBEAT);
  const builder = new EntryBuilder();
  builder.add(off.session.prefix, 0, 1, 1_000, Buffer.from(HEARTBEAT), undefined);
  expect(off.entry()).toEqual(builder.finish());
  expect([off.spans, off.events]).toEqual([[], []]);
});

test("it is decided once for each frame: the short way takes those that are not recorded", () => {
  const shortWay = (ratio: number) => {
    const some = scene(ratio);
    const took = some.traces.takePlainCall(() => true)(some.session, Buffer.from(HEARTBEAT));
    if (!took) some.receive(HEARTBEAT);
    return [took, some.spans.length];
  };
  expect([shortWay(0), shortWay(1)]).toEqual([
    [true, 0],
    [false, 2],
  ]);
});

test("a decision is asked for within the trace", async () => {
  const some = scene(1);
  const call = { identity: "cp_1", epoch: 9, seq: 1 } as Parameters<typeof some.traces.decisions.decide>[0];
  some.receive('[2,"1","BootNotification",{}]', (session) => void session.nextSeq());
  await some.traces.decisions.decide(call, 1_000);
  await some.traces.decisions.decide({ ...call, seq: 2 }, 1_000);
  expect(some.asked).toEqual([`00-${TRACE}-0000000000000002-01`, undefined]);
});

test.each<[string, string, string[]]>([
  ["a name that a station made up is no name of a span", '[2,"1","Ünsinn\\"",{}]', []],
  ["an action that there is not", '[2,"1","Nonsense",{}]', ["receive unknown", "store unknown"]],
  ["an answer belongs to its command's trace, if to any", '[3,"1",{}]', []],
  ["what is no frame", "nonsense", []],
  ["an id with quotes", '[2, "a\\",\\"Reset" , "Heartbeat",{}]', ["receive Heartbeat", "store Heartbeat"]],
])("%s", (_, text, names) => {
  const some = scene(1);
  some.receive(text);
  expect(some.spans.map(({ name }) => name)).toEqual(names);
});

test("what is not stored is told as such, and what never gets to the lane is given up", () => {
  const refused = scene(1, false);
  refused.receive(HEARTBEAT);
  refused.tellStored();
  expect(refused.spans.map(({ ended }) => ended)).toEqual(["not stored", "not stored"]);

  const some = scene(1);
  some.receive(HEARTBEAT, (session) => void session.nextSeq());
  some.receive(HEARTBEAT, () => {});
  expect(some.spans.map(({ ended }) => ended)).toEqual([undefined, "not taken"]);
  some.pass(60_000);
  some.receive(HEARTBEAT);
  expect(some.spans[0]?.ended).toBe("not stored");
});

test("the answer to a command is stored in the command's trace, and what follows it is not", () => {
  const some = scene(0);
  const parent = `00-${TRACE}-00000000000000aa-01`;
  some.traces.carry(some.session, parent, () => {
    some.receive('[3,"cmd",{}]');
    some.receive(HEARTBEAT);
  });
  some.receive(HEARTBEAT);
  expect(some.events).toMatchObject([{ event: "traced", seq: 1, traceparent: parent }]);
});
