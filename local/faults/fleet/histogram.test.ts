import { expect, test } from "vitest";
import { Histogram, quantilesOf } from "./histogram.ts";

test("quantiles over several processes are within a tenth of the true ones, and the maximum is exact", () => {
  const parts = [new Histogram(), new Histogram()];
  for (let ms = 1; ms <= 1_000; ms++) parts[ms % 2]?.add(ms);
  const { p50, p99, max } = quantilesOf(parts.map((part) => part.counts()));
  expect(p50 / 500).toBeGreaterThanOrEqual(1);
  expect(p50 / 500).toBeLessThan(1.1);
  expect(p99 / 990).toBeGreaterThanOrEqual(1);
  expect(p99 / 990).toBeLessThan(1.1);
  expect(max).toBe(1_000);
});

test("without durations everything is 0, also after a reset", () => {
  const histogram = new Histogram();
  histogram.add(7);
  histogram.reset();
  expect(quantilesOf([histogram.counts()])).toEqual({ p50: 0, p99: 0, max: 0 });
});
