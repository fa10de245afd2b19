import { expect, test } from "vitest";
import { maskSecrets, secretPathsOf } from "./secret-fields.ts";

test("[1.2-not-echoed] the value of a 1.6 AuthorizationKey is secret, that of another key is not", () => {
  expect(secretPathsOf("ChangeConfiguration", { key: "AuthorizationKey", value: "0011" })).toEqual(["value"]);
  expect(secretPathsOf("ChangeConfiguration", { key: "HeartbeatInterval", value: "300" })).toEqual([]);
});

test("[1.2-not-echoed] in SetVariables only the entries that hold a password are secret", () => {
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

test("[1.2-not-echoed] passwords of a network profile and in upload addresses are secret", () => {
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

test("an address that is signed is as good as a password; a plain query is not", () => {
  const log = (remoteLocation: string) => secretPathsOf("GetLog", { requestId: 1, log: { remoteLocation } });
  expect(log("https://s3.example/up?X-Amz-Signature=abc")).toEqual(["log.remoteLocation"]);
  expect(log("https://blob.example/up?sv=1&sig=abc")).toEqual(["log.remoteLocation"]);
  expect(log("https://logs.example/up?station=7")).toEqual([]);
  expect(secretPathsOf("UpdateFirmware", { firmware: { location: "https://a:b@fw.example" } })).toEqual([
    "firmware.location",
  ]);
});

test("[1.2-not-echoed] a secret below a name with a dot in it is hidden with all that it stands in", () => {
  const payload = {
    vendorId: "v",
    data: {
      "a.b": { location: "ftp://user:pass-1@host/x" },
      location: "ftp://user:pass-2@host/x",
      n: { "c.d": key() },
    },
  };
  const paths = secretPathsOf("DataTransfer", payload);
  const shown = JSON.stringify(maskSecrets(payload, paths));
  for (const secret of ["pass-1", "pass-2", "PRIVATE"]) expect(shown).not.toContain(secret);
  // As a gateway reads them.
  expect(maskSecrets(payload, paths)).toMatchObject({ vendorId: "v", data: "***" });
});

const key = () => "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----";

test("[1.2-not-echoed] a private key is hidden wherever somebody puts it", () => {
  expect(secretPathsOf("InstallCertificate", { certificateType: "CSMSRootCertificate", certificate: key() })).toEqual([
    "certificate",
  ]);
  expect(secretPathsOf("DataTransfer", { vendorId: "v", data: `x ${key()}` })).toEqual(["data"]);
});
