import { expect, test } from "vitest";
import { integerWithin, numberWithin } from "./scanner-primitives.ts";

const [least, most] = [-5, 100];

/** Whether the whole of the number, as it would stand in a list, is called valid. */
const isSure = (read: typeof numberWithin, number: string): boolean =>
  read(Buffer.from(`${number},\0`), 0, least, most) === number.length;

// Broken once on purpose: with the fraction left out of account it fails: 100.5 and -5.5 pass.
test("a number with a fraction is sure only where the next whole number is allowed too", () => {
  const sure = ["-5", "-4.9", "0", "0.5", "99", "99.99999999999999999999", "100"];
  expect(sure.filter((number) => !isSure(numberWithin, number))).toEqual([]);
  // 100.0 is valid. It is unusual, and left open.
  const open = ["-6", "-5.5", "-5.0", "100.0", "100.5", "101", "1.", "1.5e2", ".5", "-", "01"];
  expect(open.filter((number) => isSure(numberWithin, number))).toEqual([]);
});

test("an integer is sure within its limits", () => {
  expect(["-5", "-1", "0", "7", "100"].filter((number) => !isSure(integerWithin, number))).toEqual([]);
  const open = ["-6", "101", "1.0", "1e1", "01", "-01", "1000000000000000000000"];
  expect(open.filter((number) => isSure(integerWithin, number))).toEqual([]);
});
