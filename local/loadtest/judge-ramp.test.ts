import { expect, test } from "vitest";
import { highestRate, judgeSteps } from "./judge-ramp.ts";
import type { Sample } from "./watch-system.ts";

const sample = (atMs: number, lagSeconds: number | undefined): Sample => ({
  atMs,
  usage: {},
  connections: 0,
  entriesBehind: 0,
  lagSeconds,
});
const phases = [
  { phase: "connect", atMs: 0 },
  { phase: "500/s", atMs: 10_000 },
  { phase: "1000/s", atMs: 40_000 },
  { phase: "1500/s", atMs: 70_000 },
  { phase: "end", atMs: 100_000 },
];
const metrics = {
  "ocpp_call_duration{phase:500/s}": { values: { count: 15_000, "p(95)": 20, "p(99)": 40 } },
  "ocpp_call_duration{phase:1000/s}": { values: { count: 29_700, "p(95)": 90, "p(99)": 300 } },
  "ocpp_call_duration{phase:1500/s}": { values: { count: 36_000, "p(95)": 900, "p(99)": 2_000 } },
};

test("a step is carried when the fleet gets its rate, its answers in time, and the intake keeps up", () => {
  const steps = judgeSteps(phases, metrics, [
    sample(20_000, 9),
    sample(30_000, 0.1),
    sample(60_000, 0.1),
    sample(90_000, 5),
  ]);
  expect(steps.map(({ rate, wrong }) => [rate, wrong])).toEqual([
    [500, []],
    [1_000, []],
    [1_500, ["only 1200 a second", "p95 is 900 ms", "the intake is 5.0 s behind"]],
  ]);
  expect(highestRate(steps)).toBe(1_000);
});

test("a rate above one that broke does not count, and none is carried where the first one breaks", () => {
  const steps = judgeSteps(phases, metrics, [sample(30_000, 0.1), sample(60_000, 9)]);
  expect(highestRate(steps)).toBe(500);
  expect(highestRate(steps.slice(1))).toBeUndefined();
});

test("a step of which something is not known is not carried", () => {
  expect(judgeSteps(phases, metrics, [])[0]?.wrong).toEqual(["the intake did not tell its lag"]);
  const seldom = [sample(26_000, undefined), sample(30_000, undefined), sample(35_000, 0.1)];
  expect(judgeSteps(phases, metrics, seldom)[0]?.wrong).toEqual(["the intake did not tell its lag"]);
  const noTimes = { "ocpp_call_duration{phase:500/s}": { values: { count: 15_000 } } };
  expect(judgeSteps(phases, noTimes, [sample(30_000, 0.1)])[0]?.wrong).toEqual(["no times of answers are known"]);
});

test("a step that was not played to its end says nothing", () => {
  expect(judgeSteps(phases.slice(0, 3), metrics, []).map(({ rate }) => rate)).toEqual([500]);
});
