import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { expect, test } from "vitest";
import { SeenCommands } from "./seen-commands.ts";

const outcome = (response: string): CommandOutcome => ({ state: "accepted", response });
const LIMITS = { commands: 3, outcomeBytes: 1_000, outcomeMs: 60_000 };

test("a command is remembered with its outcome, the oldest forgotten first", () => {
  const seen = new SeenCommands(LIMITS, () => 0);
  for (const id of ["a", "b", "c"]) seen.add(id, 1);
  seen.ended("a", outcome("{}"));
  expect([seen.outcome("a"), seen.outcome("b")]).toEqual([outcome("{}"), undefined]);
  seen.add("d", 1);
  expect(["a", "b", "c", "d"].map((id) => seen.has(id, 1))).toEqual([false, true, true, true]);
  expect(seen.outcome("a")).toBeUndefined();
});

test("outcomes are bounded in bytes together: what they leave is the id", () => {
  const seen = new SeenCommands(LIMITS, () => 0);
  for (const id of ["a", "b", "c"]) {
    seen.add(id, 1);
    seen.ended(id, outcome("x".repeat(400)));
  }
  expect(["a", "b", "c"].map((id) => [seen.has(id, 1), seen.outcome(id) !== undefined])).toEqual([
    [true, false],
    [true, true],
    [true, true],
  ]);
  seen.ended("c", outcome("x".repeat(2_000)));
  expect([seen.has("c", 1), seen.outcome("c")]).toEqual([true, undefined]);
});

test("an outcome is kept for a while", () => {
  let nowMs = 0;
  const seen = new SeenCommands(LIMITS, () => nowMs);
  seen.add("a", 1);
  seen.ended("a", outcome("{}"));
  nowMs = 59_999;
  expect(seen.outcome("a")).toEqual(outcome("{}"));
  nowMs = 60_000;
  expect([seen.has("a", 1), seen.outcome("a")]).toEqual([true, undefined]);
});

test("a command that surely was not sent on one connection may come for the next one, and no other may", () => {
  const seen = new SeenCommands(LIMITS, () => 0);
  for (const id of ["waited", "answered", "running"]) seen.add(id, 1);
  seen.ended("waited", { state: "not_connected", reason: "the connection is gone" });
  seen.ended("answered", outcome("{}"));
  expect(["waited", "answered", "running"].map((id) => [seen.has(id, 1), seen.has(id, 2)])).toEqual([
    [true, false],
    [true, true],
    [true, true],
  ]);
  seen.add("waited", 2);
  expect([seen.has("waited", 2), seen.has("waited", 3), seen.outcome("waited")]).toEqual([true, true, undefined]);
});
