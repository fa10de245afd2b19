import { expect, test } from "vitest";
import { rangeOf, rangeOfSuffix, rangesAhead } from "./partition-ranges.ts";

const suffixes = (...args: Parameters<typeof rangesAhead>) => rangesAhead(...args).map((range) => range.suffix);

test("days and months are those of UTC", () => {
  expect(rangeOf("day", new Date("2026-12-31T23:59:59Z"))).toEqual({
    suffix: "20261231",
    from: new Date("2026-12-31T00:00:00Z"),
    to: new Date("2027-01-01T00:00:00Z"),
  });
  expect(rangeOf("month", new Date("2026-12-31T23:59:59Z"))).toEqual({
    suffix: "202612",
    from: new Date("2026-12-01T00:00:00Z"),
    to: new Date("2027-01-01T00:00:00Z"),
  });
});

test("today's and the next days', over the end of a month and a leap day", () => {
  expect(suffixes("day", new Date("2028-02-28T12:00:00Z"), 2)).toEqual(["20280228", "20280229", "20280301"]);
  expect(suffixes("month", new Date("2026-12-30T12:00:00Z"), 3)).toEqual(["202612", "202701"]);
  expect(suffixes("month", new Date("2026-12-01T12:00:00Z"), 3)).toEqual(["202612"]);
});

test("a suffix gives its range back, and what is not ours gives none", () => {
  expect(rangeOfSuffix("20280229")).toEqual(rangeOf("day", new Date("2028-02-29T05:00:00Z")));
  expect(rangeOfSuffix("202612")).toEqual(rangeOf("month", new Date("2026-12-05T00:00:00Z")));
  expect(rangeOfSuffix("default")).toBeUndefined();
});
