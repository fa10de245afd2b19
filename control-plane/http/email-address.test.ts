import { expect, test } from "vitest";
import { emailKey, readEmailAddress } from "./email-address.ts";

test.each([
  ["alex@acme-ev-installs.com", "alex@acme-ev-installs.com"],
  ["Alex.O'Neil+site@Acme.Example", "Alex.O'Neil+site@Acme.Example"],
  ["info@bücher.example", "info@xn--bcher-kva.example"],
  ["info@例え。テスト", "info@xn--r8jz45g.xn--zckzah"],
  ["a@xn--bcher-kva.example", "a@xn--bcher-kva.example"],
])("%s is an address", (text, address) => {
  expect(readEmailAddress(text)).toEqual({ ok: true, value: address });
});

test.each([
  ["", "one e-mail address"],
  ["alex", "one e-mail address"],
  ["@acme.example", "one e-mail address"],
  ["alex@", "one e-mail address"],
  ["alex @acme.example", "one e-mail address"],
  ["alex@acme.example\r\nBcc: spy@evil.example", "one e-mail address"],
  ["björn@acme.example", "ASCII characters alone before the @"],
  ['"alex"@acme.example', "quoted"],
  [`${"a".repeat(65)}@acme.example`, "64 characters before"],
  [".alex@acme.example", "before the @"],
  ["a..b@acme.example", "before the @"],
  ["a,b@acme.example", "before the @"],
  ["<alex@acme.example>", "before the @"],
  ["Alex<alex@acme.example", "before the @"],
  ["alex@localhost", "full domain"],
  ["alex@192.0.2.1", "IP address"],
  ["alex@[192.0.2.1]", "IP address"],
  ["alex@acme..example", "no valid domain"],
  ["alex@-acme.example", "no valid domain"],
  ["alex@acme.example.", "no valid domain"],
  ["alex@ac_me.example", "no valid domain"],
  ["alex@b%C3%BCü.example", "no valid domain"],
  ["alex@ü/evil.example", "no valid domain"],
  [`a@${"ü.".repeat(40)}example`, "254 characters"],
])("%s is none, and it says why", (text, why) => {
  expect(readEmailAddress(text)).toEqual({ ok: false, error: expect.stringContaining(why) });
});

test("an address is the same however its letters and its domain are written", () => {
  expect(emailKey("Info@BÜCHER.example")).toBe("info@xn--bcher-kva.example");
  expect(emailKey("info@xn--bcher-kva.EXAMPLE")).toBe("info@xn--bcher-kva.example");
  expect(emailKey("no address")).toBe("no address");
});
