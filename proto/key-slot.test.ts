import { expect, test } from "vitest";
import { keySlot } from "./key-slot.ts";

// What CLUSTER KEYSLOT of a Redis 7.0 answers.
test.each([
  ["123456789", 12_739],
  ["foo", 12_182],
  ["foo{bar}zap", 5_061],
  ["bar", 5_061],
  ["foo{}{bar}", 8_363],
  ["foo{{bar}}zap", 4_015],
  ["", 0],
])("slot of %j", (key, slot) => {
  expect(keySlot(key)).toBe(slot);
});
