import { encodeLaneEvent, type LaneEvent } from "@dynamo-csms/proto/lane-event";
import { expect, test } from "vitest";
import type { Batch } from "./apply-batch.ts";
import { entryIdOf, withoutNumbers } from "./entry-id.ts";
import { HoleWatch } from "./hole-watch.ts";

const hole = (from: number, to: number) => ({ from: entryIdOf(from), to: entryIdOf(to) });

function batch(to: number, gaps: Batch["gaps"], ...events: LaneEvent[]): Batch {
  const frames = events.map((event, index) => ({
    entryId: entryIdOf(to),
    index,
    frame: {
      kind: "event" as const,
      identity: "" as const,
      version: "1.6" as const,
      epoch: 0,
      seq: index,
      receivedAtMs: 0,
      text: encodeLaneEvent(event),
      flagged: false,
    },
  }));
  return { laneId: "lane", from: "0-0", to: entryIdOf(to), frames, damaged: [], gaps };
}
const skipped = (laneId: string, ...ranges: [number, number][]): LaneEvent => ({
  event: "skipped",
  nodeId: "node",
  laneId,
  ranges,
});

test("a hole that its writer explains is no loss, in the same batch or a few entries later", () => {
  const holes = new HoleWatch();
  expect(holes.applied(batch(8, [hole(5, 6)], skipped("lane", [5, 6])))).toEqual([]);
  expect(holes.applied(batch(12, [hole(10, 11)]))).toEqual([]);
  expect(holes.applied(batch(13, [], skipped("lane", [10, 10], [11, 11])))).toEqual([]);
  expect(holes.applied(batch(100, []))).toEqual([]);
  expect(holes.ended()).toEqual([]);
});

test("a hole that nobody explains is told once: a few entries later, or at the end of the lane", () => {
  const holes = new HoleWatch();
  expect(holes.applied(batch(8, [hole(5, 7)], skipped("lane", [6, 6]), skipped("another", [1, 99])))).toEqual([]);
  expect(holes.applied(batch(30, []))).toEqual([hole(5, 5), hole(7, 7)]);
  expect(holes.applied(batch(32, [hole(31, 31)]))).toEqual([]);
  expect(holes.ended()).toEqual([hole(31, 31)]);
  expect(holes.ended()).toEqual([]);
});

test.each([
  [1, 4, [hole(5, 9)]],
  [10, 12, [hole(5, 9)]],
  [5, 9, []],
  [1, 20, []],
  [5, 6, [hole(7, 9)]],
  [8, 12, [hole(5, 7)]],
  [6, 7, [hole(5, 5), hole(8, 9)]],
])("5 to 9 without %i to %i", (first, last, left) => {
  expect(withoutNumbers(hole(5, 9), first, last)).toEqual(left);
});
