import { createHash, X509Certificate } from "node:crypto";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { OctetString, Sequence } from "asn1js";
import { ContentInfo, SignedData } from "pkijs";
import { commonNameOf, OID_SIGNING_CERTIFICATE_V2 } from "./pdf-signer.ts";
import { pkijsEngine } from "../pkijs-engine.ts";

export interface VerifiedSignature {
  commonName: string;
  /** SHA-256 of the signer's certificate, hexadecimal. */
  fingerprint: string;
}

/**
 * Checks the signature of a PDF that `PdfSigner` signed: it covers the whole file, nothing was changed since, and the
 * certificate is the one it was made with. Says who signed; whether that certificate is to be trusted is another question.
 * Never rejects.
 */
export async function verifySignature(pdf: Buffer): Promise<Result<VerifiedSignature, string>> {
  const range = /\/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]/.exec(pdf.toString("latin1"))?.slice(1).map(Number) as
    | [number, number, number, number]
    | undefined;
  if (range === undefined) return err("there is no signature");
  const [start, length, resume, rest] = range;
  if (start !== 0 || resume + rest !== pdf.length) return err("the signature does not cover the whole file");
  const contents = pdf.subarray(length, resume).toString("latin1");
  if (!/^<(?:[0-9a-f]{2})+>$/.test(contents)) return err("the signature leaves out more than itself");
  try {
    const signed = new SignedData({
      schema: ContentInfo.fromBER(trimmed(Buffer.from(contents.slice(1, -1), "hex"))).content,
    });
    const covered = Buffer.concat([pdf.subarray(0, length), pdf.subarray(resume)]);
    const outcome = await signed.verify(
      { signer: 0, data: new Uint8Array(covered).buffer, checkChain: false, extendedMode: true },
      pkijsEngine,
    );
    if (outcome.signatureVerified !== true || outcome.signerCertificate == null) return err(CHANGED);
    const certificate = new X509Certificate(Buffer.from(outcome.signerCertificate.toSchema(true).toBER()));
    const fingerprint = createHash("sha256").update(certificate.raw).digest();
    if (certificateHashIn(signed)?.equals(fingerprint) !== true)
      return err("the signature was made with another certificate");
    return ok({ commonName: commonNameOf(certificate), fingerprint: fingerprint.toString("hex") });
  } catch {
    // What is no CMS structure, or one whose digest does not fit: the library throws for both.
    return err(CHANGED);
  }
}

const CHANGED = "the file was changed after it was signed";

/** The hash in the signing-certificate-v2 attribute: SigningCertificateV2 { certs { ESSCertIDv2 { certHash } } }. */
function certificateHashIn(signed: SignedData): Buffer | undefined {
  const attribute = signed.signerInfos[0]?.signedAttrs?.attributes.find(
    ({ type }) => type === OID_SIGNING_CERTIFICATE_V2,
  );
  const first = (node: unknown) => (node instanceof Sequence ? node.valueBlock.value[0] : undefined);
  const hash: unknown = first(first(first(attribute?.values[0])));
  return hash instanceof OctetString ? Buffer.from(hash.valueBlock.valueHexView) : undefined;
}

/** The structure without what pads it, which must be zeros. Its own length says where it ends (DER, long form). */
function trimmed(cms: Buffer): ArrayBuffer {
  const lengthBytes = (cms[1] ?? 0) & 0x7f;
  const end = 2 + lengthBytes + cms.readUIntBE(2, lengthBytes);
  if (cms.subarray(end).some((byte) => byte !== 0)) throw new Error("something follows the signature");
  return new Uint8Array(cms.subarray(0, end)).buffer;
}
