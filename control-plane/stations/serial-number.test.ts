import { expect, test } from "vitest";
import { serialNumberOf } from "./serial-number.ts";

test.each(["S1", " S1", "S1 ", "S1\u200b", "\ufeffS1\u00a0"])("%j is the unit S1", (typed) => {
  expect(serialNumberOf(typed)).toBe("S1");
});

test("what is inside a serial number stays", () => {
  expect(serialNumberOf("SN-ABX 20240501/007 é")).toBe("SN-ABX 20240501/007 é");
});
