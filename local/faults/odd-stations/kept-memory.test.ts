import { expect, test } from "vitest";
import { grown, type Kept } from "./kept-memory.ts";

const MIB = 2 ** 20;
const before: Kept = { heapBytes: 100 * MIB, residentBytes: 300 * MIB, descriptors: 40, resources: 30, connections: 5 };

test("[B11] a process that is as it was has not grown", () => {
  expect(grown(before, before)).toEqual([]);
  expect(grown(before, { ...before, heapBytes: 104 * MIB, descriptors: 45, connections: 500 })).toEqual([]);
});

test("[B11] [B12] each thing that grew is told with both figures; one that could not be measured counts as grown", () => {
  expect(grown(before, { ...before, heapBytes: 106 * MIB })).toEqual(["heap: 100.0 MiB before, 106.0 MiB afterwards"]);
  expect(grown(before, { ...before, residentBytes: 400 * MIB })).toHaveLength(1);
  expect(grown(before, { ...before, descriptors: 51 })).toEqual(["descriptors: 40 before, 51 afterwards"]);
  expect(grown(before, { ...before, resources: 41 })).toEqual(["timers and handles: 30 before, 41 afterwards"]);
  expect(grown(before, { ...before, resources: Number.NaN })).toHaveLength(1);
});
