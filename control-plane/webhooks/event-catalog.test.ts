import { expect, test } from "vitest";
import { EVENT_TYPES, EVENTS } from "./event-catalog.ts";

test.each(EVENT_TYPES)("the example of %s is what its schema says", (type) => {
  // As it is sent: a member that is undefined is not there.
  expect(EVENTS[type].data.safeParse(JSON.parse(JSON.stringify(EVENTS[type].example))).error).toBeUndefined();
});
