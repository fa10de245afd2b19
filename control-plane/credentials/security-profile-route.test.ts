import { expect, test } from "vitest";
import { mayChangeProfile } from "./security-profile-route.ts";

test.each([
  [1, 1, false, true],
  [1, 2, false, true],
  [1, 3, false, true],
  [2, 3, false, true],
  [3, 2, false, false],
  [3, 2, true, true],
  [2, 1, true, false],
  [3, 1, true, false],
] as const)("[1.8-no-downgrade] from profile %i to %i, downgrade allowed %s: %s", (from, to, allowed, may) => {
  expect(mayChangeProfile(from, to, allowed)).toBe(may);
});
