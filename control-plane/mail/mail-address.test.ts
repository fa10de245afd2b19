import { expect, test } from "vitest";
import { isBareAddress, parseMailFrom } from "./mail-address.ts";

test.each(["s.owen@riversidebp.co.uk", "o'hara+x@example.org", "用户@例子.中国"])("%s is one address", (text) => {
  expect(isBareAddress(text)).toBe(true);
});

test.each([
  "a@b.c, d@e.f",
  "a@b.c;d@e.f",
  "Sarah <a@b.c>",
  "a@b.c\r\nBcc: d@e.f",
  "a@b.c\nBcc: d@e.f",
  "a@b.c\u2028d",
  "a b@c.d",
  '"a"@b.c',
  "a@b@c",
  "@b.c",
  "a@",
  "",
  `${"a".repeat(250)}@b.cd`,
])("[E15] %j is not one address", (text) => {
  expect(isBareAddress(text)).toBe(false);
});

test("the sender is an address with or without a name", () => {
  expect(parseMailFrom("Dynamo CSMS <no-reply@example.org>")).toEqual({
    name: "Dynamo CSMS",
    address: "no-reply@example.org",
  });
  expect(parseMailFrom('"Dynamo, CSMS" <no-reply@example.org>')).toEqual({
    name: "Dynamo, CSMS",
    address: "no-reply@example.org",
  });
  expect(parseMailFrom("no-reply@example.org")).toEqual({ name: "", address: "no-reply@example.org" });
  for (const text of ["nobody", "A <a@b.c>\r\nBcc: x@y.z", "A <a@b.c>, B <b@c.d>"])
    expect(() => parseMailFrom(text)).toThrow();
});
