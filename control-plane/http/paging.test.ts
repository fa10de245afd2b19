import { expect, test } from "vitest";
import { decodeCursor, encodeCursor, pageOf, timeAndId } from "./paging.ts";
import { ProblemError } from "./problems.ts";

const KEYS = ["2026-05-01 10:23:00.123456+00", "cp_1"];

test("a cursor brings back the keys it was made of", () => {
  expect(decodeCursor(encodeCursor(KEYS), 2, timeAndId)).toEqual(KEYS);
});

test.each([
  "",
  "nonsense",
  encodeCursor(["one"]),
  encodeCursor(["not a time", "x"]),
  Buffer.from("[1,2]").toString("base64url"),
])("%j is no cursor", (cursor) => {
  expect(() => decodeCursor(cursor, 2, timeAndId)).toThrow(ProblemError);
});

test("there is a next page only when a row was read beyond this one", () => {
  const keysOf = (row: string) => [row];
  expect(pageOf(["a", "b", "c"], 2, keysOf)).toEqual({
    page: ["a", "b"],
    next_cursor: encodeCursor(["b"]),
    has_more: true,
  });
  expect(pageOf(["a", "b"], 2, keysOf)).toEqual({ page: ["a", "b"], next_cursor: null, has_more: false });
  expect(pageOf([], 2, keysOf)).toEqual({ page: [], next_cursor: null, has_more: false });
});
