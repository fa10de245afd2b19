import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import PDFDocument from "pdfkit";
import { selfSigned } from "../test/self-signed.ts";
import { parsePdfSigner } from "./pdf-signer.ts";
import { verifySignature } from "./verify-signature.ts";

const PEM = { type: "pkcs8", format: "pem" } as const;
const rsa = (modulusLength = 2_048) => generateKeyPairSync("rsa", { modulusLength }).privateKey.export(PEM).toString();
const ec = (namedCurve = "P-256") => generateKeyPairSync("ec", { namedCurve }).privateKey.export(PEM).toString();

async function smallPdf(): Promise<Buffer> {
  const doc = new PDFDocument();
  const chunks: Buffer[] = [];
  doc.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve) => doc.on("end", resolve));
  doc.text("Handover").end();
  await ended;
  return Buffer.concat(chunks);
}

test.each([
  ["RSA", rsa()],
  ["EC P-256", ec()],
])("an %s key signs, again and again", async (_, key) => {
  const signer = parsePdfSigner(key, await selfSigned(key, "Signer — Ünïcode"));
  const pdf = await smallPdf();
  // ECDSA signatures differ in length from one to the next.
  for (let round = 0; round < 20; round++) {
    const signed = await signer.sign(pdf, {
      reason: "Handover of proj_01hx5t6u7v8w",
      signedAt: new Date("2026-05-01T14:45:00Z"),
    });
    expect(await verifySignature(signed)).toEqual({
      ok: true,
      value: { commonName: "Signer — Ünïcode", fingerprint: signer.fingerprint },
    });
  }
});

test("a key and a certificate that do not belong together are refused at the start", async () => {
  const [key, other] = [rsa(), rsa()];
  const certificate = await selfSigned(key);
  expect(() => parsePdfSigner(other, certificate)).toThrow("the key is not that of the certificate");
  expect(() => parsePdfSigner(key, "certificate")).toThrow("the certificate is not PEM");
  expect(() => parsePdfSigner("key", certificate)).toThrow();
});

test("a weak key is refused", async () => {
  const key = rsa(1_024);
  const certificate = await selfSigned(key);
  expect(() => parsePdfSigner(key, certificate)).toThrow("the key has 1024 bits, want at least 2048");
});

test("what was never signed, or signed by half, is not valid", async () => {
  const pdf = await smallPdf();
  expect(await verifySignature(pdf)).toEqual({ ok: false, error: "there is no signature" });
  expect(await verifySignature(Buffer.concat([pdf, Buffer.from("/ByteRange [0 10 20 30]")]))).toEqual({
    ok: false,
    error: "the signature does not cover the whole file",
  });
  expect(await verifySignature(Buffer.from("/ByteRange [0 4 99 0]"))).toMatchObject({ ok: false });
});
