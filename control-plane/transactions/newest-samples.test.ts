import { expect, test } from "vitest";
import { NewestSamples } from "./newest-samples.ts";

test("a reading is new when it is later than all before it of its connector; the first one is not known to be", () => {
  const newest = new NewestSamples();
  expect([1_000, 2_000, 2_000, 1_500, 2_001].map((ms) => newest.isNew("7", 1, ms))).toEqual([
    false,
    true,
    false,
    false,
    true,
  ]);
  expect(newest.isNew("7", 2, 3_000)).toBe(false);
  expect(newest.isNew("8", 1, 3_000)).toBe(false);
  expect(newest.isNew("7", 2, 3_001)).toBe(true);
});
