import { expect, test } from "vitest";
import { MinuteBudget, StationBudget } from "./minute-budget.ts";

test("so many a minute are borne, the next is too many, and a minute later it starts anew", () => {
  const budget = new MinuteBudget(20);
  const spent = Array.from({ length: 21 }, () => budget.spend(100_000));
  expect(spent.filter(Boolean)).toHaveLength(20);
  expect(spent.at(-1)).toBe(false);
  expect(budget.spend(159_999)).toBe(false);
  expect(budget.spend(160_000)).toBe(true);
});

test("[D12] a station's budget is one over all its connections, and nobody else's", () => {
  const budget = new StationBudget(2);
  expect(["cs-1", "cs-1", "cs-2", "cs-1"].map((identity) => budget.spend(identity, 0))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(budget.spend("cs-1", 60_000)).toBe(true);
});

test("[D12] the stations that are remembered are bounded: the longest unused is forgotten", () => {
  const budget = new StationBudget(1);
  budget.spend("first", 0);
  for (let n = 0; n < 10_000; n++) budget.spend(`cs-${n}`, 0);
  expect(budget.spend("cs-9999", 0)).toBe(false);
  expect(budget.spend("first", 0)).toBe(true);
});
