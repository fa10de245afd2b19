import { expect, test } from "vitest";
import { memoryOf, notFlat, threeLooks } from "./judge-flatness.ts";
import type { Sample } from "./watch-system.ts";

const MIB = 2 ** 20;
const run = (memory: (n: number) => number, lag: (n: number) => number): Sample[] =>
  Array.from({ length: 60 }, (_, n) => ({
    atMs: n * 10_000,
    usage: {
      "gateway-1": { cpuSeconds: n, residentBytes: memory(n) * MIB },
      postgres: { cpuSeconds: n, residentBytes: (100 + 10 * n) * MIB },
    },
    connections: 1_000,
    entriesBehind: 0,
    lagSeconds: lag(n),
  }));

test("noise is flat, and so is what Postgres fills its buffers with", () => {
  expect(
    notFlat(
      run(
        (n) => 200 + (n % 7),
        (n) => (n % 3) / 10,
      ),
    ),
  ).toEqual([]);
});

test("memory and lag that grow to the end are named", () => {
  const found = notFlat(
    run(
      (n) => 200 + 3 * n,
      (n) => n / 10,
    ),
  );
  expect(found.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual(["gateway-1: memory", "lag in"]);
});

test("three looks are the medians of the run's beginning, middle and end", () => {
  const points = memoryOf(
    run(
      (n) => n,
      () => 0,
    ),
    "gateway-1",
  );
  const looks = threeLooks(points)?.map((bytes) => Math.round(bytes / MIB));
  expect(looks?.[0]).toBeLessThan(12);
  expect(looks?.[1]).toBeGreaterThan(24);
  expect(looks?.[1]).toBeLessThan(36);
  expect(looks?.[2]).toBeGreaterThan(48);
  expect(threeLooks([{ value: 1 }])).toBeUndefined();
});
