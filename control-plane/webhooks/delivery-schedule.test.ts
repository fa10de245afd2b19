import { expect, test } from "vitest";
import { parseRetryAfter, pauseAfterMs } from "./delivery-schedule.ts";

test("[E11] ten attempts over three days, the pauses growing", () => {
  const pauses = Array.from({ length: 10 }, (_, index) => pauseAfterMs(index + 1, 0, undefined));
  expect(pauses.at(-1)).toBeUndefined();
  const hours = pauses.slice(0, 9).reduce<number>((sum, pause) => sum + (pause ?? 0), 0) / 3_600_000;
  expect(hours).toBeGreaterThan(75);
  expect(hours).toBeLessThan(76);
  expect(pauses.slice(0, 2)).toEqual([5_000, 300_000]);
});

test("[E11] chance lengthens a pause, by a tenth at most, and never shortens it", () => {
  expect(pauseAfterMs(1, 1, undefined)).toBe(5_500);
});

test("[E11] Retry-After lengthens a pause, up to a day, and never shortens it", () => {
  expect(pauseAfterMs(1, 0, 120)).toBe(120_000);
  expect(pauseAfterMs(2, 0, 1)).toBe(300_000);
  expect(pauseAfterMs(1, 0, 1e9)).toBe(24 * 3_600_000);
  expect(pauseAfterMs(10, 0, 120)).toBeUndefined();
});

test("Retry-After is seconds or a date", () => {
  const now = new Date("2026-05-01T10:00:00Z");
  expect(parseRetryAfter("120", now)).toBe(120);
  expect(parseRetryAfter("Fri, 01 May 2026 10:01:30 GMT", now)).toBe(90);
  expect(parseRetryAfter("Fri, 01 May 2026 09:00:00 GMT", now)).toBe(0);
  expect(parseRetryAfter("soon", now)).toBeUndefined();
  expect(parseRetryAfter(undefined, now)).toBeUndefined();
});
