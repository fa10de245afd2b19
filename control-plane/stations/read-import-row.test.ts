import { expect, test } from "vitest";
import { readImportRow } from "./read-import-row.ts";

const row = { identity: "CS001", password: "0123456789abcdef", ocpp_version: "1.6" };
const strict = { allowWeak: false };

test("the least that a row needs, with its defaults", () => {
  expect(readImportRow(row, 2, strict)).toMatchObject({
    ok: true,
    value: {
      line: 2,
      identity: "cs001",
      identitySpelling: "CS001",
      password: Buffer.from("0123456789abcdef"),
      encoding: "literal",
      serialNumber: "CS001",
      connectorCount: 1,
      securityProfile: 1,
    },
  });
});

test("[1.2-hex-key] a hexDecoded password is the bytes that travel", () => {
  const hex = { ...row, password: "0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF", password_encoding: "hexDecoded" };
  expect(readImportRow(hex, 2, strict)).toMatchObject({
    ok: true,
    value: { password: Buffer.from(hex.password, "hex"), encoding: "hexDecoded" },
  });
});

test("every mistake of a row is named at once", () => {
  const bad = { identity: "a:b", password: "short", ocpp_version: "1.5", connector_count: "x", security_profile: "4" };
  const read = readImportRow(bad, 2, strict);
  expect(read.ok).toBe(false);
  expect(read.ok ? [] : read.error.map((mistake) => mistake.split(":")[0])).toEqual([
    "identity",
    "ocpp_version",
    "security_profile",
    "password",
    "connector_count",
  ]);
});

test("short passwords are taken on demand, none only where a certificate lets the station in", () => {
  expect(readImportRow({ ...row, password: "short" }, 2, { allowWeak: true }).ok).toBe(true);
  expect(readImportRow({ ...row, password: "" }, 2, { allowWeak: true }).ok).toBe(false);
  expect(readImportRow({ ...row, password: "", security_profile: "3" }, 2, strict).ok).toBe(true);
});
