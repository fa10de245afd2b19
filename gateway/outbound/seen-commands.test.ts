import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { expect, test } from "vitest";
import { SeenCommands } from "./seen-commands.ts";

const outcome = (response: string): CommandOutcome => ({ state: "accepted", response });
const LIMITS = { commands: 3, outcomeBytes: 1_000, outcomeMs: 60_000 };

test("a command is remembered with its outcome, the oldest forgotten first", () => {
  const seen = new SeenCommands(LIMITS, () => 0);
  for (const id of ["a", "b", "c"]) seen.add(id);
  seen.ended("a", outcome("{}"));
  expect([seen.outcome("a"), seen.outcome("b")]).toEqual([outcome("{}"), undefined]);
  seen.add("d");
  expect(["a", "b", "c", "d"].map((id) => seen.has(id))).toEqual([false, true, true, true]);
  expect(seen.outcome("a")).toBeUndefined();
});

test("outcomes are bounded in bytes together: what they leave is the id", () => {
  const seen = new SeenCommands(LIMITS, () => 0);
  for (const id of ["a", "b", "c"]) {
    seen.add(id);
    seen.ended(id, outcome("x".repeat(400)));
  }
  expect(["a", "b", "c"].map((id) => [seen.has(id), seen.outcome(id) !== undefined])).toEqual([
    [true, false],
    [true, true],
    [true, true],
  ]);
  seen.ended("c", outcome("x".repeat(2_000)));
  expect([seen.has("c"), seen.outcome("c")]).toEqual([true, undefined]);
});

test("an outcome is kept for a while", () => {
  let nowMs = 0;
  const seen = new SeenCommands(LIMITS, () => nowMs);
  seen.add("a");
  seen.ended("a", outcome("{}"));
  nowMs = 59_999;
  expect(seen.outcome("a")).toEqual(outcome("{}"));
  nowMs = 60_000;
  expect([seen.has("a"), seen.outcome("a")]).toEqual([true, undefined]);
});
