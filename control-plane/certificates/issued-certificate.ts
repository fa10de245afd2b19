import { createHash, type KeyObject, X509Certificate } from "node:crypto";
import { err, ok, type Result } from "@dynamo-csms/proto/result";

/** What is on record of a certificate. */
export interface CertificateFacts {
  /** SHA-256 of the certificate, lower-case hex. */
  fingerprint: string;
  /** Hexadecimal, lower case. */
  serialNumber: string;
  subject: string;
  issuer: string;
  notBefore: Date;
  notAfter: Date;
}

/** CertificateSigned takes no more (all versions). */
const MAX_CHAIN_LENGTH = 10_000;

/** The certificates of a PEM text, in its order; what is between them is skipped. */
export const splitPem = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];

/** What was ordered. `subject`: of a charging station's own certificate; what the gateways will compare with the file. */
interface Ordered {
  publicKey: KeyObject;
  subject: { serialNumber: string; organizationName: string } | undefined;
}

/**
 * Reads the first certificate of a chain that an authority gave. It must be one for this key, in force, and with the subject
 * that the gateways demand: a station that got another one would be locked out by it.
 */
export function readIssued(
  chain: string,
  { publicKey, subject }: Ordered,
  now: Date,
): Result<CertificateFacts, string> {
  const [first] = splitPem(chain);
  if (first === undefined) return err("the answer holds no certificate");
  if (chain.length > MAX_CHAIN_LENGTH) return err(`the chain has more than ${MAX_CHAIN_LENGTH} characters`);
  try {
    const certificate = new X509Certificate(first);
    if (!certificate.publicKey.equals(publicKey)) return err("the certificate is for another key");
    if (certificate.validToDate <= now) return err("the certificate has expired already");
    // Names that stand there twice come as a list.
    const { CN, O } = certificate.toLegacyObject().subject as Record<string, unknown>;
    if (subject !== undefined && CN !== subject.serialNumber)
      return err("the certificate's CN is not the serial number of the charge point");
    if (subject !== undefined && O !== subject.organizationName)
      return err("the certificate's O is not the name of the organisation");
    return ok(factsOf(certificate));
  } catch {
    return err("the certificate cannot be read");
  }
}

const factsOf = (certificate: X509Certificate): CertificateFacts => ({
  fingerprint: createHash("sha256").update(certificate.raw).digest("hex"),
  serialNumber: certificate.serialNumber.toLowerCase(),
  subject: certificate.subject.replaceAll("\n", ", "),
  issuer: certificate.issuer.replaceAll("\n", ", "),
  notBefore: certificate.validFromDate,
  notAfter: certificate.validToDate,
});
