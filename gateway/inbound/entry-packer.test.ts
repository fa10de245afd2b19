import { decodeEntry, framePrefix } from "@dynamo-csms/proto/stream-entry";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { expect, test } from "vitest";
import { EntryBuffers } from "./entry-buffers.ts";
import { EntryPacker } from "./entry-packer.ts";

const PREFIX = framePrefix("1.6", 7, "cs-1" as StationIdentity);
const ATMS = Date.UTC(2026, 0, 1);
const textOf = (n: number) => Buffer.from(`[2,"${n}","Heartbeat",{}]`);

function scene() {
  const clock = { nowMs: 100 };
  const packer = new EntryPacker({ entryFrames: 3, entryBytes: 1_000_000 }, () => clock.nowMs, new EntryBuffers());
  const stage = (n: number, done: () => void) => {
    packer.stage(PREFIX.length, textOf(n));
    packer.addStaged(PREFIX, n, ATMS, textOf(n).length, done);
  };
  const add = (n: number, done: () => void) => packer.add(PREFIX, 0, n, ATMS, textOf(n), undefined, done);
  return { clock, packer, stage, add };
}

const done = () => undefined;

test.each(["stage", "add"] as const)("an entry is as old as its first frame: %s", (way) => {
  const world = scene();
  expect([world.packer.isEmpty, world.packer.isOlderThan(1_000)]).toEqual([true, false]);
  world[way](1, done);
  world.clock.nowMs = 150;
  world[way](2, done);
  expect([world.packer.isOlderThan(99), world.packer.isOlderThan(100)]).toEqual([false, true]);
  expect(world.packer.take().sinceMs).toBe(100);
  world[way](3, done);
  expect(world.packer.take().sinceMs).toBe(150);
});

test("staged or added, frames stand in the order in which they were appended, and are told in it", () => {
  const { packer, stage, add } = scene();
  const [one, other] = [() => undefined, () => undefined];
  stage(1, one);
  expect([packer.tellsLast(one), packer.tellsLast(other)]).toEqual([true, false]);
  // What is staged and then not appended leaves no trace.
  packer.stage(PREFIX.length, Buffer.alloc(200_000, "x"));
  stage(2, one);
  expect(packer.isFull).toBe(false);
  add(3, other);
  expect(packer.isFull).toBe(true);
  expect(packer.tellsLast(one)).toBe(false);
  const entry = packer.take();
  // Once for both of its frames.
  expect(entry.waiting).toEqual([one, other]);
  expect(decodeEntry(entry.bytes).map(({ seq, text }) => [seq, text])).toEqual(
    [1, 2, 3].map((n) => [n, textOf(n).toString()]),
  );
  expect([packer.isEmpty, packer.tellsLast(other)]).toEqual([true, false]);
});
