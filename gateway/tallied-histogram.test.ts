import { Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { TalliedCounter } from "./tallied-counter.ts";
import { TalliedHistogram } from "./tallied-histogram.ts";

const FACTS = { name: "seconds", help: "So long", buckets: [0.1, 1, 10] };

test("a scrape shows what prom-client's own histogram would show", async () => {
  const [usual, tallied] = [new Registry(), new Registry()];
  const labelNames = ["action", "outcome"] as const;
  const histograms = [
    new Histogram({ ...FACTS, labelNames, registers: [usual] }),
    new TalliedHistogram({ ...FACTS, labelNames, registers: [tallied] }),
  ];
  for (const value of [0.1, 0.100001, 3, 10, 11, 0])
    for (const histogram of histograms) histogram.observe({ action: 'a"\n', outcome: "result" }, value);
  for (const histogram of histograms) histogram.observe({ action: "b", outcome: "error" }, 2);
  expect(await tallied.metrics()).toBe(await usual.metrics());
});

test("without labels it is there from the start", async () => {
  const [usual, tallied] = [new Registry(), new Registry()];
  const histogram = new Histogram({ ...FACTS, registers: [usual] });
  const series = new TalliedHistogram({ ...FACTS, labelNames: [], registers: [tallied] }).series({});
  expect(await tallied.metrics()).toBe(await usual.metrics());
  for (const value of [1, 1, 1, 5]) histogram.observe(value);
  series.observe(1, 3);
  series.observe(5);
  expect(await tallied.metrics()).toBe(await usual.metrics());
});

test("a series that was only looked up is not shown", async () => {
  const registry = new Registry();
  const histogram = new TalliedHistogram({ ...FACTS, labelNames: ["action"], registers: [registry] });
  histogram.series({ action: "a" });
  expect((await histogram.get()).values).toEqual([]);
  expect(histogram.series({ action: "a" })).toBe(histogram.series({ action: "a" }));
});

test("tallies and counts of the same labels add up, scrape after scrape", async () => {
  const counter = new TalliedCounter({ name: "frames", help: "Frames", labelNames: ["type"], registers: [] });
  const tally = counter.tally({ type: "call" });
  expect((await counter.get()).values).toEqual([]);
  tally.count += 2;
  counter.inc({ type: "call" });
  expect((await counter.get()).values).toMatchObject([{ value: 3 }]);
  tally.count += 1;
  expect((await counter.get()).values).toMatchObject([{ labels: { type: "call" }, value: 4 }]);
});
