import { expect, test } from "vitest";
import { isWellFormedApiKey, newApiKey } from "./api-key.ts";

test("a new key is well formed, and no two are alike", () => {
  const keys = Array.from({ length: 50 }, newApiKey);
  for (const key of keys) expect(key).toMatch(/^dyn_live_[0-9A-Za-z]{49}$/);
  expect(keys.every(isWellFormedApiKey)).toBe(true);
  expect(new Set(keys).size).toBe(50);
});

test("a typing mistake is seen without the database", () => {
  const key = newApiKey();
  const other = key[20] === "A" ? "B" : "A";
  expect(isWellFormedApiKey(key.slice(0, 20) + other + key.slice(21))).toBe(false);
  expect(isWellFormedApiKey(key.slice(0, -1))).toBe(false);
  expect(isWellFormedApiKey(key.replace("live", "test"))).toBe(false);
});
