import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { expect, test } from "vitest";
import { StationSlots } from "./station-slots.ts";

const A = "a" as StationIdentity;
const B = "b" as StationIdentity;

test("each station has its own, and gets them back", () => {
  const slots = new StationSlots(2);
  expect([slots.enter(A), slots.enter(A), slots.enter(A), slots.enter(B)]).toEqual([true, true, false, true]);
  slots.leave(A);
  expect([slots.enter(A), slots.enter(A)]).toEqual([true, false]);
});

test("nothing is kept of a station that has none", () => {
  const slots = new StationSlots(2);
  slots.enter(A);
  slots.enter(A);
  slots.leave(A);
  expect(slots.size).toBe(1);
  slots.leave(A);
  expect(slots.size).toBe(0);
});
