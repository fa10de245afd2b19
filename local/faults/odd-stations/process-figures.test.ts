import { expect, test } from "vitest";
import { notFlat, tellThirds, whyNotFlat, type Look } from "./process-figures.ts";

const MIB = 2 ** 20;
const flat: Look = { resident: 200 * MIB, heap: 80 * MIB, descriptors: 30, resources: 20, loopLagMs: 3 };
const every10s = (of: (n: number) => Look) => Array.from({ length: 90 }, (_, n) => ({ at: n * 10, look: of(n) }));

test("an hour in which nothing grows has nothing to tell", () => {
  expect(
    notFlat(
      "gateway-1",
      every10s(() => flat),
    ),
  ).toEqual([]);
});

test("what a process takes at its start is no growth", () => {
  expect(
    notFlat(
      "gateway-1",
      every10s((n) => ({ ...flat, heap: Math.min(30, n) * 4 * MIB })),
    ),
  ).toEqual([]);
});

test("each figure that goes on growing is told", () => {
  const leaking = every10s((n) => ({ ...flat, heap: (80 + n) * MIB, descriptors: 30 + n }));
  expect(notFlat("gateway-1", leaking)).toEqual([
    expect.stringMatching(/^gateway-1: heap grows by 6/),
    expect.stringMatching(/^gateway-1: descriptors grows by 59/),
  ]);
});

test("a figure that a process does not tell is not taken for a flat one", () => {
  const { heap: _, ...without } = flat;
  expect(
    notFlat(
      "jobs-1",
      every10s(() => without),
    ),
  ).toEqual(["jobs-1: heap was not told"]);
  expect(whyNotFlat([], 1)).toBe("was not told");
});

test("the thirds are told by their medians", () => {
  const line = tellThirds(
    "jobs-1",
    every10s((n) => ({ ...flat, descriptors: n < 30 ? 10 : n < 60 ? 99 : 12 })),
  );
  expect(line).toContain("descriptors 10 → 12");
  expect(line).toContain("resident 200.0 MiB → 200.0 MiB");
});
