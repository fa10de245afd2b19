import { expect, test } from "vitest";
import { medianOf, robustGrowth, robustSlope, type Point } from "./robust-slope.ts";

const points = (values: readonly number[]): Point[] => values.map((value, at) => ({ at: at * 10, value }));

test("a straight line has its slope, whatever its offset", () => {
  expect(robustSlope(points([5, 25, 45, 65]))).toBe(2);
  expect(robustSlope(points([7, 7, 7, 7]))).toBe(0);
});

test("the teeth of a collected heap are no slope, and what is left below them is", () => {
  const teeth = Array.from({ length: 60 }, (_, n) => 100 + (n % 6) * 20);
  expect(Math.abs(robustGrowth(points(teeth)))).toBeLessThan(20);
  const leaking = teeth.map((value, n) => value + n * 10);
  expect(robustGrowth(points(leaking))).toBeGreaterThan(500);
  expect(robustGrowth(points(leaking))).toBeLessThan(680);
});

test("a few wild values change nothing", () => {
  const calm = Array.from({ length: 40 }, () => 50);
  const wild = calm.map((value, n) => (n > 30 && n < 38 ? value * 100 : value));
  expect(robustSlope(points(wild))).toBe(0);
});

test("nothing grows where there is nothing to compare", () => {
  expect([robustSlope([]), robustGrowth([]), robustGrowth(points([9]))]).toEqual([0, 0, 0]);
  expect(
    robustSlope([
      { at: 1, value: 1 },
      { at: 1, value: 9 },
    ]),
  ).toBe(0);
});

test("the median of an even number is the middle between two", () => {
  expect(medianOf([4, 1, 3, 2])).toBe(2.5);
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(medianOf([])).toBeNaN();
});
