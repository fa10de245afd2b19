import { expect, test } from "vitest";
import { median, medianRatio } from "./arithmetic.ts";

test("the median is the one in the middle, or between the two in the middle", () => {
  expect(median([10, 9, 100])).toBe(10);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow("nothing");
});

test("figures of the same repetition are compared: a machine that becomes slower changes nothing", () => {
  expect(medianRatio([10, 20, 40], [5, 10, 20])).toBe(2);
  expect(medianRatio([10, 20, 60], [5, 10, 20])).toBe(2);
  expect(() => medianRatio([1, 2], [1])).toThrow("both sides");
});
