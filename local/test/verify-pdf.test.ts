import { createHash, webcrypto, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Null, ObjectIdentifier, OctetString } from "asn1js";
import {
  AlgorithmIdentifier,
  Attribute,
  Certificate,
  ContentInfo,
  EncapsulatedContentInfo,
  IssuerAndSerialNumber,
  SignedAndUnsignedAttributes,
  SignedData,
  SignerInfo,
} from "pkijs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureSecrets } from "../secrets.ts";
import { verifySignedPdf } from "../verify-pdf.ts";

const ROOM = 8_192; // hex digits that are reserved for the signature

let folder: string;
let certificatePem: string;
let signed: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "verify-pdf-"));
  const { variables } = await ensureSecrets(folder);
  certificatePem = readFileSync(variables["PDF_SIGNING_CERT"] as string, "utf8");
  signed = await sign(readFileSync(variables["PDF_SIGNING_KEY"] as string, "utf8"), certificatePem);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a signed file is verified, and says whose certificate it was", async () => {
  const { signedBy, sha256 } = await verifySignedPdf(signed);
  expect(signedBy.fingerprint256).toBe(new X509Certificate(certificatePem).fingerprint256);
  expect(sha256).toBe(createHash("sha256").update(signed).digest("hex"));
});

test("a changed byte before or after the signature is noticed", async () => {
  for (const at of [10, signed.length - 3]) {
    const changed = Buffer.from(signed);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    await expect(verifySignedPdf(changed)).rejects.toThrow("changed after it was signed");
  }
});

test("a changed signature is noticed", async () => {
  const text = signed.toString("latin1");
  const container = (/<([0-9a-f]+?)0*>/.exec(text) as RegExpExecArray)[1] as string;
  const changed = Buffer.from(signed);
  const lastDigit = text.indexOf(container) + container.length - 3;
  changed.write(text[lastDigit] === "0" ? "1" : "0", lastDigit, "latin1");
  await expect(verifySignedPdf(changed)).rejects.toThrow("the signature is wrong");
});

test("what was added behind the signed part is noticed", async () => {
  await expect(verifySignedPdf(Buffer.concat([signed, Buffer.from("\n% added")]))).rejects.toThrow(
    "does not cover the whole file",
  );
});

test("a file without a signature is refused", async () => {
  await expect(verifySignedPdf(Buffer.from("%PDF-1.7\n%%EOF"))).rejects.toThrow("no signature");
});

/** The smallest file with a PDF signature: detached CMS over everything around it. */
async function sign(keyPem: string, certPem: string): Promise<Buffer> {
  const before = "%PDF-1.7\n1 0 obj\n<< /Type /Sig /Contents ";
  const after = " /ByteRange [0000000000 0000000000 0000000000 0000000000] >>\nendobj\n%%EOF\n";
  const resume = before.length + ROOM + 2;
  const range = [0, before.length, resume, after.length].map((value) => String(value).padStart(10, "0")).join(" ");
  const tail = after.replace(/\[.*\]/, `[${range}]`);
  const cms = await detachedSignature(Buffer.from(before + tail, "latin1"), keyPem, certPem);
  return Buffer.from(`${before}<${cms.toString("hex").padEnd(ROOM, "0")}>${tail}`, "latin1");
}

async function detachedSignature(content: Buffer, keyPem: string, certPem: string): Promise<Buffer> {
  const der = (pem: string) => new Uint8Array(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64"));
  const certificate = Certificate.fromBER(der(certPem));
  const digest = createHash("sha256").update(content).digest();
  const attributes = [
    new Attribute({ type: "1.2.840.113549.1.9.3", values: [new ObjectIdentifier({ value: "1.2.840.113549.1.7.1" })] }),
    new Attribute({
      type: "1.2.840.113549.1.9.4",
      values: [new OctetString({ valueHex: new Uint8Array(digest).buffer })],
    }),
  ];
  const cms = new SignedData({
    version: 1,
    encapContentInfo: new EncapsulatedContentInfo({ eContentType: "1.2.840.113549.1.7.1" }),
    digestAlgorithms: [new AlgorithmIdentifier({ algorithmId: "2.16.840.1.101.3.4.2.1", algorithmParams: new Null() })],
    signerInfos: [
      new SignerInfo({
        version: 1,
        sid: new IssuerAndSerialNumber({ issuer: certificate.issuer, serialNumber: certificate.serialNumber }),
        signedAttrs: new SignedAndUnsignedAttributes({ type: 0, attributes }),
      }),
    ],
    certificates: [certificate],
  });
  const key = await webcrypto.subtle.importKey(
    "pkcs8",
    der(keyPem),
    { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    false,
    ["sign"],
  );
  await cms.sign(key, 0, "SHA-256", content);
  return Buffer.from(
    new ContentInfo({ contentType: "1.2.840.113549.1.7.2", content: cms.toSchema(true) }).toSchema().toBER(false),
  );
}
