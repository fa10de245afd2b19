import { afterAll, expect, test } from "vitest";
import { ConfigReader } from "../config-reader.ts";
import { OpenSsl } from "../test/openssl.ts";
import { readCertificateAuthority, readIssuedTypes } from "./authority-config.ts";

const openssl = new OpenSsl();
afterAll(() => openssl.remove());

function read(env: Record<string, string>, production = false) {
  const reader = new ConfigReader(env, () => "");
  const authority = readCertificateAuthority(reader, production);
  return { authority, types: readIssuedTypes(reader), mistakes: reader.mistakes };
}
const local = () => {
  const { key, certificate } = openssl.root("ca");
  return { CERTIFICATE_AUTHORITY: "local", LOCAL_CA_KEY: key, LOCAL_CA_CERT: certificate };
};

test("without a setting nobody issues certificates", () => {
  expect(read({})).toEqual({ authority: undefined, types: [], mistakes: [] });
});

test("the local authority is for development, unless production is told that it is meant", () => {
  expect(read(local())).toMatchObject({ types: ["ChargingStationCertificate"], mistakes: [] });
  expect(read(local(), true).mistakes).toEqual([expect.stringContaining("not with NODE_ENV=production")]);
  expect(read({ ...local(), LOCAL_CA_IN_PRODUCTION: "true" }, true).mistakes).toEqual([]);
  expect(read({ CERTIFICATE_AUTHORITY: "local" }).mistakes).toHaveLength(2);
});

test("an authority of the operator's is reached over TLS in production", () => {
  const http = { CERTIFICATE_AUTHORITY: "http", CERTIFICATE_AUTHORITY_URL: "http://ca.internal/" };
  expect(read(http).mistakes).toEqual([]);
  expect(read(http).types).toContain("V2GCertificate");
  expect(read(http, true).mistakes).toHaveLength(1);
});
