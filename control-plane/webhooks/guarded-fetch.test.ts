import { expect, test } from "vitest";
import { refuseTarget, type TargetRules } from "./guarded-fetch.ts";

const strict: TargetRules = { allowPrivate: false, ports: [443, 8443], blockedNetworks: [] };
const development: TargetRules = { ...strict, allowPrivate: true };

test("an ordinary https URL may be a target", () => {
  expect(refuseTarget("https://example.com/hooks?x=1", strict)).toBeUndefined();
  expect(refuseTarget("https://example.com:8443/", strict)).toBeUndefined();
});

test.each([
  ["http://example.com/", "must be https"],
  ["ftp://example.com/", "must be https"],
  ["file:///etc/passwd", "must be https"],
  ["https://user:secret@example.com/", "must not carry a user name or password"],
  ["https://example.com:22/", "port 22 is not allowed (allowed: 443, 8443)"],
  ["not a url", "is not a URL"],
  ["https://example.com/\r\nX: y", "is not a URL"],
  ["https://127.0.0.1/", "is not a public address"],
  ["https://2130706433/", "is not a public address"],
  ["https://0x7f.1/", "is not a public address"],
  ["https://0177.0.0.1/", "is not a public address"],
  ["https://[::1]/", "is not a public address"],
  ["https://[::ffff:169.254.169.254]/", "is not a public address"],
  ["https://169.254.169.254/latest/meta-data/", "is not a public address"],
])("[E10] %s %s", (url, refusal) => {
  expect(refuseTarget(url, strict)).toBe(refusal);
});

test("[E10] development allows http to this machine on any port, but not the metadata address", () => {
  expect(refuseTarget("http://localhost:4567/hook", development)).toBeUndefined();
  expect(refuseTarget("http://127.0.0.1:4567/hook", development)).toBeUndefined();
  expect(refuseTarget("http://169.254.169.254/", development)).toBe("is not a public address");
});
