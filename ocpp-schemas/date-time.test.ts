import { expect, test } from "vitest";
import { parseDateTime } from "./date-time.ts";
import { validatePayload } from "./validators.ts";

const accepted = (currentTime: string) =>
  validatePayload("1.6", "Heartbeat", "response", { currentTime }) === undefined;

test.each([
  ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
  ["2099-12-31T23:59:59Z", "2099-12-31T23:59:59.000Z"],
  ["2028-02-29T12:00:00+05:30", "2028-02-29T06:30:00.000Z"],
  ["2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123Z"],
  ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"],
  ["2026-01-31t12:00:00.5z", "2026-01-31T12:00:00.500Z"],
  ["2026-01-31 12:00:00+02:00", "2026-01-31T10:00:00.000Z"],
  ["2026-01-31\n12:00:00+0200", "2026-01-31T10:00:00.000Z"],
  ["2026-01-31T12:00:00-05", "2026-01-31T17:00:00.000Z"],
  ["2026-01-31T12:00:00.123456789123Z", "2026-01-31T12:00:00.123Z"],
  ["2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"],
  ["2017-01-01T01:59:60.25+02:00", "2016-12-31T23:59:59.999Z"],
  ["2026-01-31T23:00:00-23:59", "2026-02-01T22:59:00.000Z"],
])("[C22] what the schemas let through is read: %j", (text, expected) => {
  expect(accepted(text)).toBe(true);
  expect(parseDateTime(text)?.toISOString()).toBe(expected);
});

test.each([
  "",
  "yesterday",
  "2026-01-31",
  "2027-02-29T12:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-01-31T25:00:00Z",
  "2026-01-31T12:00:00+99:00",
])("[C22] what they refuse is no moment: %j", (text) => {
  expect(accepted(text)).toBe(false);
  expect(parseDateTime(text)).toBeUndefined();
});

test.each(["2026-01-31T12:00:00", "2026-01-31 12:00:00", "2026-01-31T12:00:00.5"])(
  "[C22] a time without zone, which the schemas refuse, is one of UTC: %j",
  (text) => {
    expect(accepted(text)).toBe(false);
    expect(parseDateTime(text)?.toISOString()).toMatch(/^2026-01-31T12:00:00\.[05]00Z$/);
  },
);
