import { expect, test } from "vitest";
import { atLeast } from "./at-least.ts";

test("[E6] what takes a moment is told no sooner than what takes its time", async () => {
  const order: string[] = [];
  const quick = atLeast(60, Promise.resolve("quick")).then((told) => order.push(told));
  // Started later, and due sooner than the quick one may be told.
  const between = atLeast(1, Promise.resolve("between")).then((told) => order.push(told));
  await Promise.all([quick, between]);
  expect(order).toEqual(["between", "quick"]);
});
