import pg from "pg";
import { expect, test } from "vitest";
import { describeFault, faultKindOf } from "./fault-kind.ts";

const sqlState = (code: string) =>
  Object.assign(new pg.DatabaseError("values that must not be told", 0, "error"), { code });

test.each([
  ["40001", "retry"],
  ["40P01", "retry"],
  ["55P03", "retry"],
  ["22P05", "frame"],
  ["22003", "frame"],
  ["23503", "frame"],
  ["54000", "frame"],
  ["53300", "outage"],
  ["53100", "outage"],
  ["57P01", "outage"],
  ["57014", "outage"],
  ["08006", "outage"],
  ["25006", "outage"],
  // The schema is not this build's: a migration that did not run must not empty the lanes into the dead letters.
  ["42P01", "outage"],
  ["42501", "outage"],
  ["XX000", "outage"],
])("SQLSTATE %s is a matter of %s", (code, kind) => {
  expect(faultKindOf(sqlState(code))).toBe(kind);
});

test("our own stumbling is the frame's, a broken connection is not", () => {
  expect(faultKindOf(new TypeError("x"))).toBe("frame");
  expect(faultKindOf(Object.assign(new Error("connect"), { code: "ECONNREFUSED" }))).toBe("outage");
  expect(faultKindOf(new Error("Connection terminated unexpectedly"))).toBe("outage");
  expect(faultKindOf("thrown text")).toBe("outage");
});

test("a description names the place and never the values", () => {
  expect(describeFault(Object.assign(sqlState("23505"), { table: "transactions", constraint: "key" }))).toBe(
    "SQLSTATE 23505 transactions key",
  );
  expect(describeFault(new SyntaxError("Unexpected token in {secret}"))).toBe("SyntaxError");
});
