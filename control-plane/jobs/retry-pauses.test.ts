import { expect, test } from "vitest";
import { RetryPauses } from "./retry-pauses.ts";

test("each failure in a row doubles the pause, up to half a minute; a success forgets them", () => {
  const pauses = new RetryPauses();
  expect([1, 2, 3].map(() => pauses.failed("a", 0))).toEqual([1_000, 2_000, 4_000]);
  for (let i = 0; i < 20; i += 1) pauses.failed("a", 0);
  expect(pauses.failed("a", 0)).toBe(30_000);
  pauses.succeeded("a");
  expect(pauses.failed("a", 0)).toBe(1_000);
});

test("a row may run again when its pause is over, and others are not held back", () => {
  const pauses = new RetryPauses();
  pauses.failed("a", 10_000);
  expect(pauses.mayRun("a", 10_999)).toBe(false);
  expect(pauses.mayRun("a", 11_000)).toBe(true);
  expect(pauses.mayRun("b", 10_000)).toBe(true);
});
