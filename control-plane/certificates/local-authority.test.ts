import { X509Certificate } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { OpenSsl, opensslText } from "../test/openssl.ts";
import { readIssued, splitPem } from "./issued-certificate.ts";
import { createLocalAuthority } from "./local-authority.ts";
import { readSigningRequest } from "./signing-request.ts";

const openssl = new OpenSsl();
afterAll(() => openssl.remove());

function order(csr: string) {
  const read = readSigningRequest(csr);
  if (!read.ok) throw new Error(read.error);
  return {
    orderId: "o",
    certificateType: "ChargingStationCertificate" as const,
    csr,
    publicKey: read.value.publicKey,
    chargePointId: "cp_1",
    serialNumber: "SN-1",
    organizationName: "Ladeinfrastruktur Köln",
  };
}

test("[1.8-csr] a certificate is for the subject on file and the request's key, and its root verifies it", async () => {
  const { key, certificate } = openssl.root("root");
  const authority = createLocalAuthority(key, certificate, 10);
  const wanted = order(openssl.request("/O=Evil/CN=other").csr);
  const issued = await authority.issue(wanted);
  const chain = issued.ok ? issued.value : "";
  expect(splitPem(chain)).toHaveLength(1);
  expect(openssl.verifies("root", chain)).toBe(true);
  const text = await opensslText(
    ["x509", "-noout", "-subject", "-nameopt", "utf8", "-ext", "extendedKeyUsage,basicConstraints"],
    chain,
  );
  expect(text).toMatch(/subject=O ?= ?Ladeinfrastruktur Köln, ?CN ?= ?SN-1/);
  expect(text).toContain("TLS Web Client Authentication");
  expect(text).toContain("CA:FALSE");
  const facts = readIssued(chain, { publicKey: wanted.publicKey, subject: wanted }, new Date());
  expect(facts.ok && facts.value.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(facts.ok && facts.value.fingerprint).toBe(
    new X509Certificate(chain).fingerprint256.replaceAll(":", "").toLowerCase(),
  );
  const again = await authority.issue(wanted);
  expect(new X509Certificate(again.ok ? again.value : "").serialNumber).not.toBe(
    new X509Certificate(chain).serialNumber,
  );
});

test("no certificate outlives its authority", async () => {
  const { key, certificate } = openssl.root("short", 3);
  const issued = await createLocalAuthority(key, certificate, 365).issue(order(openssl.request("/CN=x").csr));
  expect(new X509Certificate(issued.ok ? issued.value : "").validToDate).toEqual(
    new X509Certificate(certificate).validToDate,
  );
});

test("a key of another certificate, or a certificate that is no authority, is told at the start", () => {
  const [one, other] = [openssl.root("one"), openssl.root("other")];
  expect(() => createLocalAuthority(other.key, one.certificate, 10)).toThrow("not that of the certificate");
  const leaf = openssl.issue("one", "/CN=leaf", 5);
  expect(() => createLocalAuthority(leaf.key, leaf.certificate, 10)).toThrow("not that of an authority");
  expect(() => createLocalAuthority(one.key, "x", 10)).toThrow("not PEM");
});

test("a certificate for another key is not taken for the one that was asked for", () => {
  const leaf = openssl.root("stranger").certificate;
  const { publicKey } = order(openssl.request("/CN=x").csr);
  expect(readIssued(leaf, { publicKey, subject: undefined }, new Date())).toEqual({
    ok: false,
    error: "the certificate is for another key",
  });
});

test("[1.8-renewal] a certificate that is over before it came, as an expired authority makes it, is not taken", () => {
  const leaf = openssl.root("over", 3).certificate;
  const ordered = { publicKey: new X509Certificate(leaf).publicKey, subject: undefined };
  expect(readIssued(leaf, ordered, new Date())).toMatchObject({ ok: true });
  expect(readIssued(leaf, ordered, new Date(Date.now() + 4 * 86_400_000))).toEqual({
    ok: false,
    error: "the certificate has expired already",
  });
});
