import { expect, test } from "vitest";
import type { BenchRow } from "./contract.ts";
import { isFarOff, reaches, tableOf } from "./print-table.ts";

const row = (changes: Partial<BenchRow>): BenchRow => ({
  what: "something",
  figure: 1.4,
  unit: "×",
  target: { atLeast: 1.35 },
  behind: "ours 9.1 µs",
  ...changes,
});

test("a figure reaches a floor from above and a ceiling from below", () => {
  expect(reaches(row({ figure: 1.35 }))).toBe(true);
  expect(reaches(row({ figure: 1.34 }))).toBe(false);
  expect(reaches(row({ figure: 2.5, target: { atMost: 2.5 } }))).toBe(true);
  expect(reaches(row({ figure: 2.6, target: { atMost: 2.5 } }))).toBe(false);
  const { target: _, ...shown } = row({});
  expect(reaches(shown)).toBeUndefined();
  expect(tableOf([shown])).toContain("| something | 1.40 × |        |  ");
});

test("only what is far off fails, and what is no figure does", () => {
  expect(isFarOff(row({ figure: 0.9, fails: { below: 0.8 } }))).toBe(false);
  expect(isFarOff(row({ figure: 0.7, fails: { below: 0.8 } }))).toBe(true);
  expect(isFarOff(row({ figure: 13, fails: { above: 12 } }))).toBe(true);
  expect(isFarOff(row({ figure: 0.01 }))).toBe(false);
  expect(isFarOff(row({ figure: NaN }))).toBe(true);
  expect(isFarOff(row({ figure: 0, target: { atMost: 1.5 } }))).toBe(true);
});

test("the table says what is reached, what is missed and what is far off", () => {
  const table = tableOf([
    row({ what: "reached" }),
    row({ what: "missed", figure: 1.2, fails: { below: 0.8 } }),
    row({ what: "far off", figure: 12.345, unit: "kB", target: { atMost: 2.5 }, fails: { above: 12 } }),
  ]);
  expect(table.split("\n")).toEqual([
    "| what    | figure  | target |         | behind it   |",
    "| ------- | ------- | ------ | ------- | ----------- |",
    "| reached | 1.40 ×  | ≥ 1.35 | reached | ours 9.1 µs |",
    "| missed  | 1.20 ×  | ≥ 1.35 | missed  | ours 9.1 µs |",
    "| far off | 12.3 kB | ≤ 2.5  | FAR OFF | ours 9.1 µs |",
  ]);
});
