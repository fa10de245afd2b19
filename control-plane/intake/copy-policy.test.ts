import { expect, test } from "vitest";
import { CopyPolicy } from "./copy-policy.ts";

test("after each copy that fails, more batches go without, until one is copied again", () => {
  const policy = new CopyPolicy();
  const without = () => {
    for (let batches = 0; ; batches += 1) if (policy.next()) return batches;
  };
  const rests = [without()];
  for (let n = 0; n < 8; n += 1) {
    policy.failed();
    rests.push(without());
  }
  expect(rests).toEqual([0, 1, 2, 4, 8, 16, 32, 64, 64]);
  policy.copied();
  policy.failed();
  expect(without()).toBe(1);
});
