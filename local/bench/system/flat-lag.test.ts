import { expect, test } from "vitest";
import { isFlat, thirdsOf } from "./flat-lag.ts";

test("thirds are medians of the beginning, the middle and the end", () => {
  expect(thirdsOf([1, 1, 9, 2, 2, 2, 3, 0, 3])).toEqual([1, 2, 3]);
  expect(() => thirdsOf([1, 2])).toThrow("median of nothing");
});

test("a lag is flat that does not grow and is short", () => {
  expect(isFlat([0.2, 0.5, 0.3])).toBe(true);
  expect(isFlat([0.2, 0.5, 0.8])).toBe(false);
  expect(isFlat([3, 3, 3])).toBe(false);
});
