import { expect, test } from "vitest";
import { parseSecretsKey, seal, unseal } from "./sealed-secret.ts";
import { digestPassword, parsePeppers, passwordMatches } from "./station-password.ts";

const key = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));

test("a sealed secret opens only in its own context, with its own key, unchanged", () => {
  const sealed = seal(key, "commands/cmd_1", "geheim");
  expect(unseal(key, "commands/cmd_1", sealed)).toBe("geheim");
  expect(() => unseal(key, "commands/cmd_2", sealed)).toThrow();
  expect(() => unseal(parseSecretsKey(Buffer.alloc(32, 8).toString("base64")), "commands/cmd_1", sealed)).toThrow();
  expect(() => unseal(key, "commands/cmd_1", `${sealed.slice(0, -2)}AA`)).toThrow();
  expect(seal(key, "commands/cmd_1", "geheim")).not.toBe(sealed);
});

test("a password matches by its bytes on the wire, current or pending, and only under its own pepper", () => {
  const peppers = parsePeppers(
    `p2:${Buffer.alloc(32, 2).toString("base64")},p1:${Buffer.alloc(32, 1).toString("base64")}`,
  );
  const wire = Buffer.from([0, 255, 1]);
  const verifier = (pepperId: string, of: Uint8Array) => ({
    digest: digestPassword(of, peppers.get(pepperId) as Buffer).toString("base64"),
    pepperId,
    encoding: "hexDecoded" as const,
  });
  expect(passwordMatches(wire, [verifier("p1", Buffer.from("old")), verifier("p2", wire)], peppers)).toBe(true);
  expect(passwordMatches(wire, [verifier("p1", Buffer.from("old"))], peppers)).toBe(false);
  expect(passwordMatches(wire, [{ ...verifier("p1", wire), pepperId: "p2" }], peppers)).toBe(false);
  expect(passwordMatches(wire, [{ ...verifier("p1", wire), pepperId: "gone" }], peppers)).toBe(false);
  expect(passwordMatches(wire, [], peppers)).toBe(false);
});

test("peppers that are too short are refused with what is wanted", () => {
  expect(() => parsePeppers("p1:c2hvcnQ=")).toThrow("at least 32 bytes");
});
