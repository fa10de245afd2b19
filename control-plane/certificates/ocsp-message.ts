import { createHash, verify, X509Certificate } from "node:crypto";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { Integer, Null, OctetString } from "asn1js";
import {
  AlgorithmIdentifier,
  BasicOCSPResponse,
  Certificate,
  CertID,
  type ExtKeyUsage,
  OCSPRequest,
  OCSPResponse,
  Request,
  type SingleResponse,
} from "pkijs";
import { HASH_OF_SIGNATURE } from "./signature-hashes.ts";

/** The certificate that is asked about, as stations name it (2.x CertificateHashDataType): hexadecimal texts. */
export interface CertificateHash {
  hashAlgorithm: "SHA256" | "SHA384" | "SHA512";
  issuerNameHash: string;
  issuerKeyHash: string;
  serialNumber: string;
}

/** What a responder says of that certificate. */
export interface OcspAnswer {
  der: Buffer;
  status: "good" | "revoked" | "unknown";
  thisUpdate: Date;
  nextUpdate: Date | undefined;
  /** Whether the answer is signed by the certificate's issuer, or by a responder that the issuer entrusted (RFC 6960 §4.2.2.2). */
  isSignedBy(issuers: readonly X509Certificate[]): boolean;
}

const HASHES = {
  SHA256: { oid: "2.16.840.1.101.3.4.2.1", name: "sha256", bytes: 32 },
  SHA384: { oid: "2.16.840.1.101.3.4.2.2", name: "sha384", bytes: 48 },
  SHA512: { oid: "2.16.840.1.101.3.4.2.3", name: "sha512", bytes: 64 },
} as const;
const OID_EXT_KEY_USAGE = "2.5.29.37";
const OID_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
/** tryLater and the like are other numbers (RFC 6960 §4.2.1). */
const SUCCESSFUL = 0;

/** DER of an OCSP request about one certificate (RFC 6960 §4.1); undefined when the hashes are no such hashes. */
export function encodeOcspRequest(asked: CertificateHash): Buffer | undefined {
  const hash = HASHES[asked.hashAlgorithm];
  const [name, key, serial] = [
    bytesOf(asked.issuerNameHash),
    bytesOf(asked.issuerKeyHash),
    bytesOf(asked.serialNumber),
  ];
  if (name?.length !== hash.bytes || key?.length !== hash.bytes || serial === undefined) return undefined;
  const request = new OCSPRequest();
  request.tbsRequest.requestList = [
    new Request({
      reqCert: new CertID({
        hashAlgorithm: new AlgorithmIdentifier({ algorithmId: hash.oid, algorithmParams: new Null() }),
        issuerNameHash: new OctetString({ valueHex: arrayBufferOf(name) }),
        issuerKeyHash: new OctetString({ valueHex: arrayBufferOf(key) }),
        // A leading zero byte keeps it positive.
        serialNumber: new Integer({
          valueHex: arrayBufferOf((serial[0] ?? 0) < 0x80 ? serial : Buffer.from([0, ...serial])),
        }),
      }),
    }),
  ];
  return Buffer.from(request.toSchema(true).toBER());
}

const arrayBufferOf = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;

/** Leading zeros may be missing; 20 bytes are the longest serial number (RFC 5280 §4.1.2.2). */
function bytesOf(hex: string): Buffer | undefined {
  if (!/^[0-9a-f]{1,128}$/i.test(hex)) return undefined;
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

/** Reads what came back; only an answer to exactly this question counts, and only while it is in force. Never throws: it is a stranger's word. */
export function readOcspAnswer(der: Buffer, asked: CertificateHash, now: Date): Result<OcspAnswer, string> {
  try {
    const response = OCSPResponse.fromBER(new Uint8Array(der));
    if (response.responseStatus.valueBlock.valueDec !== SUCCESSFUL || response.responseBytes === undefined)
      return err("the responder does not answer the question");
    const basic = BasicOCSPResponse.fromBER(response.responseBytes.response.valueBlock.valueHexView);
    const single = basic.tbsResponseData.responses.find((one) => isAbout(one, asked));
    if (single === undefined) return err("the answer is about another certificate");
    const status = STATUS[(single.certStatus as { idBlock: { tagNumber: number } }).idBlock.tagNumber];
    if (status === undefined) return err("the answer cannot be read");
    if (single.thisUpdate.getTime() > now.getTime() + CLOCK_SKEW_MS) return err("the answer is of the future");
    // Without a next one, newer information is there at any time (RFC 6960 §4.2.2.1): an old answer is one that was kept.
    if ((single.nextUpdate ?? new Date(single.thisUpdate.getTime() + MAX_AGE_MS)) < now)
      return err("the answer is too old");
    return ok({
      der,
      status,
      thisUpdate: single.thisUpdate,
      nextUpdate: single.nextUpdate,
      isSignedBy: (issuers) => isSigned(basic, asked, issuers, now),
    });
  } catch {
    return err("the answer cannot be read");
  }
}

const STATUS = ["good", "revoked", "unknown"] as const;
const CLOCK_SKEW_MS = 5 * 60_000;
const MAX_AGE_MS = 24 * 3_600_000;

const hexOf = (bytes: Uint8Array) =>
  Buffer.from(bytes)
    .toString("hex")
    .replace(/^0+(?=.)/, "");
const same = (bytes: Uint8Array, hex: string) => hexOf(bytes) === hex.toLowerCase().replace(/^0+(?=.)/, "");

const isAbout = ({ certID }: SingleResponse, asked: CertificateHash): boolean =>
  certID.hashAlgorithm.algorithmId === HASHES[asked.hashAlgorithm].oid &&
  same(certID.issuerNameHash.valueBlock.valueHexView, asked.issuerNameHash) &&
  same(certID.issuerKeyHash.valueBlock.valueHexView, asked.issuerKeyHash) &&
  same(certID.serialNumber.valueBlock.valueHexView, asked.serialNumber);

/** SHA-2 of a certificate's public key, as OCSP and stations count it: without the header of its bit string. */
function keyHashOf(certificate: X509Certificate, algorithm: CertificateHash["hashAlgorithm"]): string {
  const { subjectPublicKeyInfo } = Certificate.fromBER(new Uint8Array(certificate.raw));
  return createHash(HASHES[algorithm].name)
    .update(subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView)
    .digest("hex");
}

/** How stations and OCSP name a certificate. */
export function hashDataOf(certificate: X509Certificate, issuer: X509Certificate): CertificateHash {
  const issuerName = Certificate.fromBER(new Uint8Array(certificate.raw)).issuer.toSchema().toBER();
  return {
    hashAlgorithm: "SHA256",
    issuerNameHash: createHash("sha256").update(new Uint8Array(issuerName)).digest("hex"),
    issuerKeyHash: keyHashOf(issuer, "SHA256"),
    serialNumber: certificate.serialNumber,
  };
}

function isSigned(
  basic: BasicOCSPResponse,
  asked: CertificateHash,
  issuers: readonly X509Certificate[],
  now: Date,
): boolean {
  const enclosed = (basic.certs ?? []).map((one) => new X509Certificate(Buffer.from(one.toSchema(true).toBER())));
  // Whose key has the hash that was asked about is the issuer, wherever its certificate comes from.
  const trusted = [...issuers, ...enclosed].filter((one) =>
    same(Buffer.from(keyHashOf(one, asked.hashAlgorithm), "hex"), asked.issuerKeyHash),
  );
  const entrusted = enclosed.filter(
    (one) =>
      isOcspSigner(one) &&
      one.validFromDate <= now &&
      one.validToDate >= now &&
      trusted.some((issuer) => one.verify(issuer.publicKey)),
  );
  const hash = HASH_OF_SIGNATURE[basic.signatureAlgorithm.algorithmId];
  const signature = basic.signature.valueBlock.valueHexView;
  return (
    hash !== undefined &&
    [...trusted, ...entrusted].some((signer) =>
      verify(hash, basic.tbsResponseData.tbsView, signer.publicKey, signature),
    )
  );
}

function isOcspSigner(certificate: X509Certificate): boolean {
  const { extensions = [] } = Certificate.fromBER(new Uint8Array(certificate.raw));
  const usage = extensions.find((extension) => extension.extnID === OID_EXT_KEY_USAGE)?.parsedValue as
    | ExtKeyUsage
    | undefined;
  return usage?.keyPurposes.includes(OID_OCSP_SIGNING) === true;
}
