import { afterAll, expect, test } from "vitest";
import { OpenSsl } from "../test/openssl.ts";
import { readSigningRequest, refuseKey, refuseSubject } from "./signing-request.ts";

const openssl = new OpenSsl();
afterAll(() => openssl.remove());

const read = (csr: string) => {
  const result = readSigningRequest(csr);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};
const EC = ["ec", "-pkeyopt"];

test("[1.8-csr] a request is read with its subject and its key, whoever made it", () => {
  const ec = read(openssl.request("/O=Ladeinfrastruktur Köln/CN=SN-1").csr);
  expect(ec).toMatchObject({ commonName: "SN-1", organizationName: "Ladeinfrastruktur Köln" });
  expect(refuseKey(ec.publicKey)).toBeUndefined();
  const rsa = read(openssl.request("/O=Org/CN=SN-2", ["rsa:2048"]).csr);
  expect(refuseKey(rsa.publicKey)).toBeUndefined();
  expect(
    refuseKey(read(openssl.request("/CN=x", [...EC, "ec_paramgen_curve:secp384r1"], "sha384").csr).publicKey),
  ).toBeUndefined();
});

test("[1.8-csr] [D9] weak keys and strange curves are refused", () => {
  expect(refuseKey(read(openssl.request("/CN=x", ["rsa:1024"]).csr).publicKey)).toContain("1024 bits");
  expect(refuseKey(read(openssl.request("/CN=x", [...EC, "ec_paramgen_curve:secp224r1"]).csr).publicKey)).toContain(
    "secp224r1",
  );
});

test("[1.8-csr] a request that is signed with SHA-1, or changed after it was signed, is not one", () => {
  const weak = readSigningRequest(openssl.request("/CN=x", ["rsa:2048"], "sha1").csr);
  expect(weak).toEqual({ ok: false, error: "it is signed with an algorithm that is not taken" });
  const der = Buffer.from(openssl.request("/CN=honest").csr.replace(/-----[^-]+-----|\s/g, ""), "base64");
  der.write("HONEST", der.indexOf("honest"));
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
  expect(readSigningRequest(forged)).toEqual({ ok: false, error: "its signature is not that of its key" });
});

test.each([
  "",
  "x",
  "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----",
  "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----",
  // Sequences in sequences, thousands deep.
  `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.alloc(4_000, 0x30).toString("base64")}\n-----END CERTIFICATE REQUEST-----`,
  `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.alloc(4_000, 0xff).toString("base64")}\n-----END CERTIFICATE REQUEST-----`,
])("[1.8-csr] what is no request is refused without a fault (%#)", (csr) => {
  expect(readSigningRequest(csr).ok).toBe(false);
});

test("[1.8-csr] [D9] CN is the serial number on file and O the organisation, each there once", () => {
  const expected = { serialNumber: "SN-1", organizationName: "Org" };
  const judge = (subject: string) => refuseSubject(read(openssl.request(subject).csr), expected);
  expect(judge("/O=Org/CN=SN-1")).toBeUndefined();
  expect(judge("/CN=SN-1/O=Org/OU=anything")).toBeUndefined();
  expect(judge("/O=Org/CN=SN-2")).toContain("CN");
  expect(judge("/O=Org/CN=sn-1")).toContain("CN");
  expect(judge("/O=Org")).toContain("CN");
  expect(judge("/O=Org/CN=SN-1/CN=SN-2")).toContain("CN");
  expect(judge("/O=Other/CN=SN-1")).toContain("O is not");
  expect(judge("/CN=SN-1")).toContain("O is not");
});
