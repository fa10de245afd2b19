import { encodeLaneEvent } from "@dynamo-csms/proto/lane-event";
import { createTracing, type SpanStart } from "@dynamo-csms/proto/process/tracing";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import { expect, test } from "vitest";
import type { TracedStation } from "../webhooks/event-traces.ts";
import { collectEffects } from "./collect-effects.ts";
import { Effects } from "./effects.ts";
import { createBatchTraces } from "./trace-batches.ts";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const identity = "cp_1" as StationIdentity;
const frame = (seq: number, more: Partial<LaneFrame> = {}): LaneFrame => ({
  kind: "inbound",
  identity,
  version: "1.6",
  epoch: 9,
  seq,
  receivedAtMs: 1_000,
  text: '[2,"1","Heartbeat",{}]',
  flagged: false,
  ...more,
});
const word = (seq: number, traceparent = PARENT): LaneFrame =>
  frame(77, {
    kind: "event",
    identity: "",
    epoch: 0,
    text: encodeLaneEvent({ event: "traced", nodeId: "gw", identity, epoch: 9, seq, traceparent }),
  });

function scene() {
  const spans: (SpanStart & { ended?: string })[] = [];
  const kept: [string[], readonly TracedStation[]][] = [];
  const recorder = {
    start(start: SpanStart) {
      const span: (typeof spans)[number] = { ...start };
      spans.push(span);
      const end = (problem?: string) => (span.ended ??= problem ?? "well");
      return { traceId: "t", traceparent: `of ${start.name}`, set: () => {}, end };
    },
    stop: async () => {},
  };
  const traces = createBatchTraces({
    tracing: createTracing({ parentBased: true, ratio: 0 }, recorder),
    events: { keep: (recorded, traced) => void kept.push([recorded.map(({ id }) => id), traced]) },
    nowMs: () => 3_500,
  });
  const begin = (...frames: LaneFrame[]) =>
    traces.begin({
      laneId: "lane-1",
      from: "0-0",
      to: "1-0",
      frames: frames.map((each, index) => ({ entryId: "1-0", index, frame: each })),
      damaged: [],
      gaps: [],
    });
  return { spans, kept, begin };
}

test("a frame whose trace was named in front of it goes on with it, and so do the events about its charge point", () => {
  const { spans, kept, begin } = scene();
  const trace = begin(frame(1), word(2), frame(2), frame(3));
  expect(spans).toMatchObject([
    {
      name: "apply Heartbeat",
      kind: "consumer",
      parent: PARENT,
      attributes: { station: "cp_1", epoch: 9, seq: 2, lane: "lane-1", entry: "1-0", waited_ms: 2_500 },
    },
  ]);
  trace?.eventsRecorded([{ id: "evt_1", data: {}, receivedAt: undefined }]);
  const traced = { identity: "cp_1", receivedAtMs: 1_000, traceparent: "of apply Heartbeat" };
  expect(kept).toEqual([[["evt_1"], [{ ...traced, only: false }]]]);
  begin(word(4), frame(4))?.eventsRecorded([]);
  expect(kept[1]).toEqual([[], [{ ...traced, only: true }]]);
  trace?.end("away");
  expect(spans[0]?.ended).toBe("away");
});

test("the word on a trace may stand in the batch before, and again after an outage", () => {
  const { spans, begin } = scene();
  expect(begin(frame(1), word(2))).toBeUndefined();
  expect(begin(frame(2))).toBeDefined();
  expect(begin(frame(2))).toBeUndefined();
  expect([begin(word(3), frame(3)), begin(word(3), frame(3))].map(Boolean)).toEqual([true, true]);
  expect(spans).toHaveLength(3);
});

test("nothing comes of a word that is none, or of a trace that is not recorded", () => {
  const { begin } = scene();
  expect(begin(word(1, "nonsense"), frame(1), word(2, PARENT.replace(/01$/, "00")), frame(2))).toBeUndefined();
});

test("a refused CALL's action is no name of a span", () => {
  const { spans, begin } = scene();
  begin(
    word(1),
    frame(1, { text: '[2,"1","MadeUp",{}]', answer: '[4,"1","NotImplemented","",{}]' }),
    word(2),
    frame(2, { text: '[3,"1",{}]' }),
  );
  expect(spans.map(({ name }) => name)).toEqual(["apply refused", "apply answer"]);
});

test("an intake that traces nothing passes it over", () => {
  const effects = new Effects();
  collectEffects(word(1), new Map(), { logHeartbeats: true }, effects);
  expect(effects).toEqual(new Effects());
});
