import { expect, test } from "vitest";
import { readTraceparent, writeTraceparent } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

test("a traceparent is read and written", () => {
  const text = `00-${TRACE}-${SPAN}-01`;
  expect(readTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
  expect(writeTraceparent({ traceId: TRACE, spanId: SPAN, sampled: true })).toBe(text);
  expect(readTraceparent(`00-${TRACE}-${SPAN}-00`)?.sampled).toBe(false);
  // Further flags are not ours to judge, and a later version may have more behind.
  expect(readTraceparent(`00-${TRACE}-${SPAN}-03`)?.sampled).toBe(true);
  expect(readTraceparent(`01-${TRACE}-${SPAN}-01-more`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
});

test.each([
  ["nothing", undefined],
  ["another type", 7],
  ["no version", `${TRACE}-${SPAN}-01`],
  ["version ff", `ff-${TRACE}-${SPAN}-01`],
  ["capital letters", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["a trace id of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["a span id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["more behind version 00", `00-${TRACE}-${SPAN}-01-more`],
  ["two of them", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
  ["a text without end", `01-${TRACE}-${SPAN}-01-${"x".repeat(1_000)}`],
])("%s is no traceparent", (_, text) => {
  expect(readTraceparent(text)).toBeUndefined();
});
