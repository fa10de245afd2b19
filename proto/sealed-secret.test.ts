import { createHmac, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { parseSecretsKey, seal, unseal } from "./sealed-secret.ts";
import { digestPassword, matchPassword, parsePeppers } from "./station-password.ts";

const key = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));

test("a sealed secret opens only in its own context, with its own key, unchanged", () => {
  const sealed = seal(key, "commands/cmd_1", "geheim");
  expect(unseal(key, "commands/cmd_1", sealed)).toBe("geheim");
  expect(() => unseal(key, "commands/cmd_2", sealed)).toThrow();
  expect(() => unseal(parseSecretsKey(Buffer.alloc(32, 8).toString("base64")), "commands/cmd_1", sealed)).toThrow();
  expect(() => unseal(key, "commands/cmd_1", `${sealed.slice(0, -2)}AA`)).toThrow();
  expect(seal(key, "commands/cmd_1", "geheim")).not.toBe(sealed);
});

test("a password's digest is HMAC-SHA-256 under the pepper, for keys and passwords of every length", () => {
  for (let length = 0; length < 200; length += 1) {
    const [pepper, password] = [randomBytes(length), randomBytes(199 - length)];
    const standard = createHmac("sha256", pepper).update(password).digest("hex");
    expect(digestPassword(password, pepper).toString("hex")).toBe(standard);
  }
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
  const current = verifier("p2", wire);
  const old = verifier("p1", Buffer.from("old"));
  expect(matchPassword(wire, [old, current], peppers)).toEqual({ verifier: current, asSent: true });
  expect(matchPassword(wire, [old], peppers)).toBeUndefined();
  expect(matchPassword(wire, [{ ...verifier("p1", wire), pepperId: "p2" }], peppers)).toBeUndefined();
  expect(matchPassword(wire, [{ ...verifier("p1", wire), pepperId: "gone" }], peppers)).toBeUndefined();
  expect(matchPassword(wire, [], peppers)).toBeUndefined();
});

test("[1.2-encoding] a key is recognised in the other encoding, hex text or bytes, and said to be", () => {
  const peppers = parsePeppers(`p1:${Buffer.alloc(32, 1).toString("base64")}`);
  const key = Buffer.from("0001020304050607fffffffffffffffffffffffe", "hex");
  const verifierOf = (of: Uint8Array) => ({
    digest: digestPassword(of, peppers.get("p1") as Buffer).toString("base64"),
    pepperId: "p1",
    encoding: "literal" as const,
  });
  const [ofBytes, ofText] = [verifierOf(key), verifierOf(Buffer.from(key.toString("hex").toUpperCase()))];
  const other = (verifier: object) => ({ verifier, asSent: false });
  expect(matchPassword(Buffer.from(key.toString("hex")), [ofBytes], peppers)).toEqual(other(ofBytes));
  expect(matchPassword(Buffer.from(key.toString("hex").toUpperCase()), [ofBytes], peppers)).toEqual(other(ofBytes));
  expect(matchPassword(key, [ofText], peppers)).toEqual(other(ofText));
  // As sent goes before another reading.
  expect(matchPassword(key, [ofText, ofBytes], peppers)).toEqual({ verifier: ofBytes, asSent: true });
  for (const wire of ["", "0", "zz", "00".repeat(100)])
    expect(matchPassword(Buffer.from(wire), [ofBytes, ofText, verifierOf(Buffer.alloc(0))], peppers)?.asSent).not.toBe(
      false,
    );
});

test("[H12] [D2] the number of digests of a login is the same, whatever is sent and whoever is meant", () => {
  const peppers = parsePeppers(`p1:${Buffer.alloc(32, 1).toString("base64")}`);
  const right = Buffer.from("a password of twenty");
  const verifier = {
    digest: digestPassword(right, peppers.get("p1") as Buffer).toString("base64"),
    pepperId: "p1",
    encoding: "literal" as const,
  };
  const costs = [
    [right, [verifier]],
    [right, [verifier, verifier]],
    [Buffer.from("a password of another"), [verifier]],
    [Buffer.from("00112233445566778899aabbccddeeff"), [verifier]],
    [Buffer.alloc(0), [verifier]],
    [right, []],
    [right, [{ ...verifier, pepperId: "gone" }]],
  ] as const;
  const counted = costs.map(([wire, verifiers]) => {
    let digests = 0;
    matchPassword(wire, verifiers, peppers, (password, pepper) => {
      digests += 1;
      return digestPassword(password, pepper);
    });
    return digests;
  });
  expect(new Set(counted).size).toBe(1);
  expect(counted[0]).toBeGreaterThan(0);
});

test("peppers that are too short are refused with what is wanted", () => {
  expect(() => parsePeppers("p1:c2hvcnQ=")).toThrow("at least 32 bytes");
});
