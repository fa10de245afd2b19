import { expect, test } from "vitest";
import { BENCHES } from "./benches.ts";
import { readOptions, USAGE } from "./options.ts";

const known = ["ocpp-1.6", "handshake"];

test("five repetitions of everything, one in the short form, unless said otherwise", () => {
  expect(readOptions([], known)).toMatchObject({ only: undefined, short: false, repetitions: 5, json: undefined });
  expect(readOptions(["--short"], known)).toMatchObject({ short: true, repetitions: 1 });
  expect(readOptions(["--short", "--repetitions", "3", "--only", "handshake"], known)).toMatchObject({
    only: new Set(["handshake"]),
    repetitions: 3,
  });
});

test("what it does not know is said", () => {
  expect(() => readOptions(["--only", "handshake,nothing"], known)).toThrow("nothing");
  expect(() => readOptions(["--repetitions", "0"], known)).toThrow("whole number");
  expect(() => readOptions(["--fast"], known)).toThrow();
  expect(USAGE).toContain("--only");
});

test("every bench has an id of its own", () => {
  const ids = BENCHES.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
