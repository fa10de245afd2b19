import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

test("a reserve, and then a steady rate", () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 10 }, 0);
  expect([1, 2, 3, 4].map(() => bucket.take(0))).toEqual([true, true, true, false]);
  expect(bucket.waitMs(0)).toBe(100);
  expect([bucket.take(99), bucket.take(100), bucket.take(100)]).toEqual([false, true, false]);
});

test("the reserve never grows beyond itself", () => {
  const bucket = new TokenBucket({ burst: 2, perSecond: 10 }, 0);
  expect([1, 2, 3].map(() => bucket.take(3_600_000))).toEqual([true, true, false]);
});

test("what was charged afterwards is a debt that is paid off first", () => {
  const bucket = new TokenBucket({ burst: 1, perSecond: 10 }, 0);
  expect(bucket.take(0)).toBe(true);
  bucket.charge(4);
  expect(bucket.waitMs(0)).toBe(500);
  expect([bucket.take(499), bucket.take(500)]).toEqual([false, true]);
});
