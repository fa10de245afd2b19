import { expect, test } from "vitest";
import { MinuteBudget } from "./minute-budget.ts";

test("so many a minute are borne, the next is too many, and a minute later it starts anew", () => {
  const budget = new MinuteBudget(20);
  const spent = Array.from({ length: 21 }, () => budget.spend(100_000));
  expect(spent.filter(Boolean)).toHaveLength(20);
  expect(spent.at(-1)).toBe(false);
  expect(budget.spend(159_999)).toBe(false);
  expect(budget.spend(160_000)).toBe(true);
});
