import { expect, test } from "vitest";
import { complaintsAboutFrame } from "./second-opinion.ts";

const about = (version: "1.6" | "2.0.1" | "2.1", frame: unknown, action?: string) =>
  complaintsAboutFrame(version, JSON.stringify(frame), action);

test("what the specification allows us to send is let pass", () => {
  const now = "2026-01-01T00:00:00Z";
  expect(about("1.6", [3, "a", { currentTime: now }], "Heartbeat")).toEqual([]);
  expect(about("2.0.1", [2, "a", "Reset", { type: "Immediate" }])).toEqual([]);
  expect(about("1.6", [4, "a", "OccurenceConstraintViolation", "", {}])).toEqual([]);
  expect(about("1.6", [4, "a", "FormationViolation", "", {}])).toEqual([]);
  expect(about("2.1", [4, "a", "FormatViolation", "", {}])).toEqual([]);
  expect(about("2.1", [5, "a", "OccurrenceConstraintViolation", "", {}])).toEqual([]);
});

test.each([
  ["an answer against its schema", "1.6", [3, "a", { currentTime: 7 }], "Heartbeat"],
  ["an answer to nothing", "1.6", [3, "a", {}], undefined],
  ["a CALL against its schema", "2.0.1", [2, "a", "Reset", {}], undefined],
  ["an action that the version does not have", "1.6", [2, "a", "GetVariables", {}], undefined],
  ["the spelling of 2.x in 1.6", "1.6", [4, "a", "OccurrenceConstraintViolation", "", {}], undefined],
  ["the spelling of 1.6 in 2.x", "2.0.1", [4, "a", "FormationViolation", "", {}], undefined],
  ["a CALLRESULTERROR before 2.1", "2.0.1", [5, "a", "GenericError", "", {}], undefined],
  ["a long description", "2.1", [4, "a", "GenericError", "x".repeat(256), {}], undefined],
  ["a long message id", "2.1", [2, "x".repeat(37), "ClearCache", {}], undefined],
  ["an error without details", "2.1", [4, "a", "GenericError", ""], undefined],
] as const)("%s is told", (_, version, frame, action) => {
  expect(about(version, frame, action)).not.toEqual([]);
});
