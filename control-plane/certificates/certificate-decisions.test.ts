import { expect, test } from "vitest";
import { mayWaitForOthers } from "./certificate-decisions.ts";

test("[1.8-ocsp] what may wait for a server that a station named is told apart from what waits for Postgres alone", () => {
  expect(mayWaitForOthers("GetCertificateStatus", "{}")).toBe(true);
  expect(mayWaitForOthers("Get15118EVCertificate", "{}")).toBe(true);
  const idToken = { idToken: "DE8ACC12E4", type: "eMAID" };
  expect(mayWaitForOthers("Authorize", JSON.stringify({ idToken, iso15118CertificateHashData: [] }))).toBe(true);
  expect(mayWaitForOthers("Authorize", JSON.stringify({ idToken, certificate: "x" }))).toBe(true);
  expect(mayWaitForOthers("Authorize", JSON.stringify({ idToken }))).toBe(false);
  expect(mayWaitForOthers("StartTransaction", "{}")).toBe(false);
});
