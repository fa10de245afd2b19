import { expect, test } from "vitest";
import { AttemptLimit } from "./attempt-limits.ts";

function scene(maxKeys = 100) {
  const clock = { nowMs: 0 };
  return { clock, limit: new AttemptLimit({ burst: 2, perSecond: 0.5, maxKeys, nowMs: () => clock.nowMs }) };
}

test("the reserve is used up and comes back with time, never beyond itself", () => {
  const { clock, limit } = scene();
  expect([limit.take("a"), limit.take("a"), limit.take("a")]).toEqual([true, true, false]);
  expect(limit.exhausted("a")).toBe(true);
  clock.nowMs = 2_000;
  expect([limit.take("a"), limit.take("a")]).toEqual([true, false]);
  clock.nowMs = 60_000;
  expect([limit.take("a"), limit.take("a"), limit.take("a")]).toEqual([true, true, false]);
});

test("what is given back can be taken again, never more than the reserve", () => {
  const { limit } = scene();
  limit.giveBack("a");
  expect([limit.take("a"), limit.take("a"), limit.take("a")]).toEqual([true, true, false]);
  limit.giveBack("a");
  expect([limit.take("a"), limit.take("a")]).toEqual([true, false]);
});

test("each key has its own", () => {
  const { limit } = scene();
  limit.take("a");
  limit.take("a");
  expect(limit.take("b")).toBe(true);
});

test("memory is bounded: the key that was unused the longest is forgotten", () => {
  const { limit } = scene(2);
  for (const key of ["a", "a", "b", "b", "a", "c"]) limit.take(key);
  expect([limit.exhausted("a"), limit.exhausted("b")]).toEqual([true, false]);
});

test("what was given back leaves nothing behind, and neither does what had time to rest", () => {
  const { clock, limit } = scene();
  limit.take("a");
  limit.giveBack("a");
  expect(limit.size).toBe(0);
  for (const key of ["a", "a", "b"]) limit.take(key);
  limit.giveBack("a");
  clock.nowMs = 1_999;
  limit.forgetRested();
  expect(limit.size).toBe(2);
  clock.nowMs = 2_000;
  limit.forgetRested();
  expect(limit.size).toBe(0);
});

test("those that still have something to wait for are kept", () => {
  const { clock, limit } = scene();
  for (const key of ["a", "a", "b"]) limit.take(key);
  clock.nowMs = 2_000;
  limit.forgetRested();
  expect(limit.size).toBe(2);
  expect([limit.take("a"), limit.take("a")]).toEqual([true, false]);
});
