import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { passwordMatches } from "@dynamo-csms/proto/station-password";
import { expect, test } from "vitest";
import { newStationPassword, passwordCall, passwordIn, pendingVerifiers } from "./new-password.ts";

const peppers = new Map([["p1", Buffer.alloc(32, 9)]]);
const stored = (version: "1.6" | "2.0.1", password: string) =>
  pendingVerifiers(version, password, peppers).map((v) => ({ ...v, digest: v.digest.toString("base64") }));

test.each(OCPP_VERSIONS)(
  "[1.2-key-change] the CALL of OCPP %s that sets a password is valid, and is known for one",
  (version) => {
    const password = newStationPassword(version);
    const { action, payload } = passwordCall(version, password);
    expect(validatePayload(version, action, "request", payload)).toBeUndefined();
    expect(passwordIn(action, payload)).toBe(password);
  },
);

test("[1.2-hex-key] a 1.6 key is forty digits, and its bytes are the password; so are the digits until a login tells", () => {
  const key = newStationPassword("1.6");
  expect(key).toMatch(/^[0-9a-f]{40}$/);
  const [bytes, text] = stored("1.6", key);
  expect([bytes?.encoding, text?.encoding]).toEqual(["hexDecoded", "literal"]);
  expect(passwordMatches(Buffer.from(key, "hex"), [bytes!], peppers)).toBe(true);
  expect(passwordMatches(Buffer.from(key), [bytes!], peppers)).toBe(false);
  expect(passwordMatches(Buffer.from(key), [text!], peppers)).toBe(true);
});

test("[1.2-utf8-password] a 2.x password has 16 to 40 characters and travels as text alone, also one that looks hexadecimal", () => {
  expect(newStationPassword("2.0.1")).toMatch(/^[A-Za-z0-9]{16,40}$/);
  expect(stored("2.0.1", "00112233445566778899")).toMatchObject([{ slot: "pending", encoding: "literal" }]);
  expect(passwordMatches(Buffer.from("pässwörd-pässwörd"), stored("2.0.1", "pässwörd-pässwörd"), peppers)).toBe(true);
});

test("settings of other names are no passwords of the connection; names are compared without case", () => {
  expect(passwordIn("ChangeConfiguration", { key: "HeartbeatInterval", value: "60" })).toBeUndefined();
  expect(passwordIn("ChangeConfiguration", { key: "AUTHORIZATIONKEY", value: "00" })).toBe("00");
  const data = (component: string, variable: string) => ({
    setVariableData: [{ attributeValue: "x", component: { name: component }, variable: { name: variable } }],
  });
  expect(passwordIn("SetVariables", data("OCPPCommCtrlr", "BasicAuthPassword"))).toBeUndefined();
  expect(passwordIn("SetVariables", data("securityctrlr", "basicauthpassword"))).toBe("x");
  expect(passwordIn("Reset", { type: "Soft" })).toBeUndefined();
});
