import { expect, test } from "vitest";
import { FIRST_READ_COUNT, nextReadCount } from "./read-count.ts";

const entries = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, at) => ({ id: `${at + 1}-0`, bytes: Buffer.alloc(bytes) }));

test("small entries are read by more and more at a time, up to a bound", () => {
  let count = FIRST_READ_COUNT;
  const counts = [];
  for (let reads = 0; reads < 7; reads += 1) counts.push((count = nextReadCount(count, entries(count, 300))));
  expect(counts).toEqual([16, 32, 64, 128, 256, 256, 256]);
});

test("a backlog of large entries is read a few MiB at a time", () => {
  expect(nextReadCount(64, entries(64, 256 * 1024))).toBe(16);
  expect(nextReadCount(64, [...entries(10, 300), ...entries(1, 1024 * 1024)])).toBe(4);
  expect(nextReadCount(8, entries(1, 20 * 1024 * 1024))).toBe(1);
});
