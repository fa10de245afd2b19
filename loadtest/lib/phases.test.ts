import { expect, test } from "vitest";
import { phaseAt, secondsOf } from "./phases.ts";

const phases = [
  { name: "connect", seconds: 10, rate: 5 },
  { name: "load", seconds: 30, rate: 5 },
];

test("a moment belongs to one phase, and to none after the last", () => {
  expect([0, 9.9, 10, 39.9, 40].map((seconds) => phaseAt(phases, seconds)?.name)).toEqual([
    "connect",
    "connect",
    "load",
    "load",
    undefined,
  ]);
  expect(secondsOf(phases)).toBe(40);
});
