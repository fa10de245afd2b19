import { expect, test } from "vitest";
import { isOutage } from "./outage.ts";

const withCode = (code: string) => Object.assign(new Error("words"), { code });

test.each([
  ["08006", "a connection that broke"],
  ["40001", "a serialization failure"],
  ["40P01", "a deadlock"],
  ["53100", "a full disk"],
  ["53300", "too many connections"],
  ["57P01", "a server that stops"],
  ["58030", "an error of the disk"],
  ["ECONNRESET", "a connection that was reset"],
])("[A16] [A20] %s, %s, passes: come again", (code) => {
  expect(isOutage(withCode(code))).toBe(true);
  expect(isOutage(new Error("wrapped", { cause: withCode(code) }))).toBe(true);
});

test.each(["23505", "22P02", "42P01", "ENOENT", "40"])("%s is a fault of ours or of the request", (code) => {
  expect(isOutage(withCode(code))).toBe(false);
});
