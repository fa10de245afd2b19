import { createHash, webcrypto, X509Certificate } from "node:crypto";
import { fromBER, type OctetString } from "asn1js";
import { ContentInfo, CryptoEngine, setEngine, SignedData } from "pkijs";

export interface VerifiedPdf {
  signedBy: X509Certificate;
  sha256: string;
}

/**
 * Verifies the signature of a PDF: the bytes that it covers are all bytes but the signature itself, their digest is the
 * one that was signed, and the signature is that of the certificate in it. Whether to trust that certificate is the
 * caller's question.
 *
 * @throws with what is wrong
 */
export async function verifySignedPdf(pdf: Buffer): Promise<VerifiedPdf> {
  const text = pdf.toString("latin1");
  const ranges = [...text.matchAll(/\/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]/g)];
  const range = ranges.at(-1)?.slice(1).map(Number);
  if (!range) throw new Error("the PDF carries no signature");
  const [start, length, resume, rest] = range as [number, number, number, number];
  const container = text.slice(start + length, resume);
  if (start !== 0 || resume + rest !== pdf.length)
    throw new Error("the signature does not cover the whole file: something was added or cut off");
  if (!/^<[0-9a-fA-F]+>$/.test(container)) throw new Error("the signature leaves out more than itself");

  setEngine("node", new CryptoEngine({ name: "node", crypto: webcrypto }));
  const cms = new Uint8Array(Buffer.from(container.slice(1, -1), "hex"));
  const parsed = fromBER(cms.buffer); // the room that was reserved is larger than the signature: zeros follow it
  if (parsed.offset === -1) throw new Error("the signature is not a CMS structure");
  const signed = new SignedData({ schema: new ContentInfo({ schema: parsed.result }).content });
  const covered = Buffer.concat([pdf.subarray(start, start + length), pdf.subarray(resume, resume + rest)]);
  compareDigest(signed, covered);
  const outcome = await signed.verify({
    signer: 0,
    data: new Uint8Array(covered).buffer,
    checkChain: false,
    extendedMode: true,
  });
  if (!outcome.signatureVerified || !outcome.signerCertificate)
    throw new Error(`the signature is wrong: ${outcome.message}`);
  const der = Buffer.from(outcome.signerCertificate.toSchema(true).toBER(false));
  return { signedBy: new X509Certificate(der), sha256: createHash("sha256").update(pdf).digest("hex") };
}

/** The message-digest attribute (RFC 5652 §11.2), computed here once more: a second opinion on the library's own check. */
function compareDigest(signed: SignedData, covered: Buffer): void {
  const [signer] = signed.signerInfos;
  const attribute = signer?.signedAttrs?.attributes.find(({ type }) => type === "1.2.840.113549.1.9.4");
  const digest = attribute?.values[0] as OctetString | undefined;
  const algorithm = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
  }[signer?.digestAlgorithm.algorithmId ?? ""];
  if (!digest || !algorithm) throw new Error("the signature has no digest of an algorithm that is still safe");
  if (!createHash(algorithm).update(covered).digest().equals(Buffer.from(digest.valueBlock.valueHexView)))
    throw new Error("the file was changed after it was signed");
}
