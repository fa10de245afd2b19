import { expect, test } from "vitest";
import { payloadTextOf } from "./payload-text.ts";

test.each([
  ['[2,"1","Heartbeat",{}]', "{}"],
  ['[2, "a,\\"]b", "X" ,\n {"n": 1.50, "s": "]}\\"," } ]', '{"n": 1.50, "s": "]}\\"," }'],
  ['[6,"1","NotifyPeriodicEventStream",{"a":[{"b":[1,2]}]}]', '{"a":[{"b":[1,2]}]}'],
  ['[2,"1","X",null]', "null"],
  ['[2,"1","X",{"a":1},"beyond"]', '{"a":1}'],
  ['[2,"1","X"]', "{}"],
])("the payload of %s is %s, character by character", (frame, payload) => {
  expect(payloadTextOf(frame)).toBe(payload);
});
