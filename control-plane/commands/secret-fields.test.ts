import { expect, test } from "vitest";
import { maskSecrets, secretPathsOf } from "./secret-fields.ts";

test("the value of a 1.6 AuthorizationKey is secret, that of another key is not", () => {
  expect(secretPathsOf("ChangeConfiguration", { key: "AuthorizationKey", value: "0011" })).toEqual(["value"]);
  expect(secretPathsOf("ChangeConfiguration", { key: "HeartbeatInterval", value: "300" })).toEqual([]);
});

test("in SetVariables only the entries that hold a password are secret", () => {
  const payload = {
    setVariableData: [
      { attributeValue: "300", component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } },
      { attributeValue: "hidden-1", component: { name: "SecurityCtrlr" }, variable: { name: "BasicAuthPassword" } },
    ],
  };
  const paths = secretPathsOf("SetVariables", payload);
  expect(paths).toEqual(["setVariableData.1.attributeValue"]);
  expect(JSON.stringify(maskSecrets(payload, paths))).not.toContain("hidden-1");
  expect(payload.setVariableData[1]?.attributeValue).toBe("hidden-1");
});

test("passwords of a network profile and in upload addresses are secret", () => {
  const profile = {
    configurationSlot: 1,
    connectionData: {
      apn: { apn: "x", apnPassword: "p", apnAuthentication: "PAP" },
      vpn: { key: "k", password: "p", server: "s" },
    },
  };
  expect(secretPathsOf("SetNetworkProfile", profile).sort()).toEqual([
    "connectionData.apn.apnPassword",
    "connectionData.vpn.key",
    "connectionData.vpn.password",
  ]);
  expect(secretPathsOf("GetDiagnostics", { location: "ftp://user:pass@host/x" })).toEqual(["location"]);
  expect(secretPathsOf("GetDiagnostics", { location: "ftp://host/x" })).toEqual([]);
});
