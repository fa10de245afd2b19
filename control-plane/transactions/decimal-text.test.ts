import { expect, test } from "vitest";
import { addDecimals, decimalOf, shiftDecimal, subtractDecimals } from "./decimal-text.ts";

test.each([
  ["12.345", 3, "12345"],
  ["12.3456", 3, "12345.6"],
  ["1.2", 3, "1200"],
  ["0.5", 3, "500"],
  ["7", 3, "7000"],
  ["12345", -3, "12.345"],
  ["5", -3, "0.005"],
  ["-0.25", 3, "-250"],
  ["9007199254740993", 3, "9007199254740993000"],
  ["1.5e3", 0, "1500"],
  ["15E-1", 0, "1.5"],
  ["+5", 0, "5"],
  ["007", 0, "7"],
  [" 12 ", 0, "12"],
])("%s shifted by %d is %s: the point moves, no digit is lost", (text, places, expected) => {
  expect(shiftDecimal(text, places)).toBe(expected);
});

test("digits beyond the point stay, also zeros", () => {
  expect(shiftDecimal("1.250", 0)).toBe("1.250");
  expect(shiftDecimal("1.25000", 3)).toBe("1250.00");
});

test.each(["", "12,5", "NaN", "Infinity", "0x10", "1e400", "1.", ".5", "1 2", "--1", "9".repeat(61)])(
  "%s is no decimal that a meter says",
  (text) => {
    expect(decimalOf(text)).toBeUndefined();
  },
);

test.each([
  ["1.25", "0.75", "2", "0.5"],
  ["0.1", "0.2", "0.3", "-0.1"],
  ["9007199254740993", "1", "9007199254740994", "9007199254740992"],
  ["-5", "2.50", "-2.5", "-7.5"],
  ["-1.5", "-1.5", "-3", "0"],
  ["9".repeat(60), "1", `1${"0".repeat(60)}`, `${"9".repeat(59)}8`],
])("%s and %s: their sum is %s, their difference %s", (a, b, sum, difference) => {
  expect(addDecimals(a, b)).toBe(sum);
  expect(subtractDecimals(a, b)).toBe(difference);
});
