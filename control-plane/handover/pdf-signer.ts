import { createHash, createPrivateKey, type KeyObject, webcrypto, X509Certificate } from "node:crypto";
import { plainAddPlaceholder } from "@signpdf/placeholder-plain";
import { SignPdf } from "@signpdf/signpdf";
import { Signer, SUBFILTER_ETSI_CADES_DETACHED } from "@signpdf/utils";
import { ObjectIdentifier, OctetString, Sequence } from "asn1js";
import {
  Attribute,
  Certificate,
  ContentInfo,
  EncapsulatedContentInfo,
  IssuerAndSerialNumber,
  SignedAndUnsignedAttributes,
  SignedData,
  SignerInfo,
} from "pkijs";
import { pkijsEngine } from "../pkijs-engine.ts";

export interface PdfSigner {
  /** Who signs, as the certificate says. */
  commonName: string;
  /** SHA-256 of the certificate, hexadecimal. */
  fingerprint: string;
  /** When the certificate runs out. */
  notAfter: Date;
  /**
   * Signs a PDF after PAdES baseline B-B (ETSI EN 319 142-1): the signature covers every byte but itself and names its
   * certificate by hash. Throws when the key cannot sign.
   */
  sign(pdf: Buffer, claim: { reason: string; signedAt: Date }): Promise<Buffer>;
}

const OID_DATA = "1.2.840.113549.1.7.1";
const OID_SIGNED_DATA = "1.2.840.113549.1.7.2";
const OID_CONTENT_TYPE = "1.2.840.113549.1.9.3";
const OID_MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
/** ESS signing-certificate-v2 (RFC 5035): what makes a CMS signature one of baseline B-B. */
export const OID_SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";

/**
 * Reads the signing key (RSA or P-256, any PEM form) and its certificate, the signer's first and its issuers after it.
 * Throws with the reason when they do not fit together or cannot be used.
 */
export function parsePdfSigner(keyPem: string, certificatesPem: string): PdfSigner {
  const pems = certificatesPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  const first = pems?.[0];
  if (pems === null || first === undefined) throw new Error("the certificate is not PEM");
  const key = createPrivateKey(keyPem);
  const leaf = new X509Certificate(first);
  if (!leaf.checkPrivateKey(key)) throw new Error("the key is not that of the certificate");
  if (new Date(leaf.validTo) < new Date()) throw new Error(`the certificate expired: ${leaf.validTo}`);
  const algorithm = algorithmOf(key);
  const certificates = pems.map((pem) => Certificate.fromBER(new X509Certificate(pem).raw));

  return {
    commonName: commonNameOf(leaf),
    fingerprint: createHash("sha256").update(leaf.raw).digest("hex"),
    notAfter: leaf.validToDate,
    async sign(pdf, { reason, signedAt }) {
      const privateKey = await webcrypto.subtle.importKey(
        "pkcs8",
        key.export({ type: "pkcs8", format: "der" }),
        algorithm,
        false,
        ["sign"],
      );
      // Room for the signature and not more: what is left over would be the only bytes that anybody could change unnoticed.
      // ECDSA signatures differ in length by a few bytes, RSA's do not.
      const room =
        (await signCms(Buffer.alloc(0), privateKey, leaf, certificates)).length + (algorithm.name === "ECDSA" ? 8 : 0);
      const prepared = plainAddPlaceholder({
        pdfBuffer: pdf,
        // Plain words of ours alone: the placeholder is found and written by its text.
        reason,
        location: "",
        name: "Dynamo CSMS",
        contactInfo: "",
        signingTime: signedAt,
        signatureLength: room,
        subFilter: SUBFILTER_ETSI_CADES_DETACHED,
        appName: "DynamoCSMS", // written as a PDF name, which has no spaces
      });
      return new SignPdf().sign(prepared, new CmsSigner((covered) => signCms(covered, privateKey, leaf, certificates)));
    },
  };
}

/** The common name of a certificate's subject, or all of the subject when it has none. */
export function commonNameOf(certificate: X509Certificate): string {
  const name: unknown = certificate.toLegacyObject().subject.CN;
  return typeof name === "string" ? name : certificate.subject.replaceAll("\n", ", ");
}

class CmsSigner extends Signer {
  readonly #signCovered: (covered: Buffer) => Promise<Buffer>;

  constructor(signCovered: (covered: Buffer) => Promise<Buffer>) {
    super();
    this.#signCovered = signCovered;
  }

  override sign(covered: Buffer): Promise<Buffer> {
    return this.#signCovered(covered);
  }
}

function algorithmOf(
  key: KeyObject,
): { name: "RSASSA-PKCS1-v1_5"; hash: "SHA-256" } | { name: "ECDSA"; namedCurve: "P-256" } {
  if (key.asymmetricKeyType === "rsa") {
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (bits < 2_048) throw new Error(`the key has ${bits} bits, want at least 2048`);
    return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  }
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1")
    return { name: "ECDSA", namedCurve: "P-256" };
  throw new Error("the key is neither RSA nor EC P-256");
}

/** The detached CMS signature (RFC 5652) of the bytes that the signature covers. */
async function signCms(
  covered: Buffer,
  privateKey: webcrypto.CryptoKey,
  leaf: X509Certificate,
  certificates: Certificate[],
): Promise<Buffer> {
  const certificate = certificates[0] as Certificate;
  const signed = new SignedData({
    version: 1,
    encapContentInfo: new EncapsulatedContentInfo({ eContentType: OID_DATA }),
    signerInfos: [
      new SignerInfo({
        version: 1,
        sid: new IssuerAndSerialNumber({ issuer: certificate.issuer, serialNumber: certificate.serialNumber }),
        signedAttrs: new SignedAndUnsignedAttributes({ type: 0, attributes: signedAttributes(covered, leaf) }),
      }),
    ],
    certificates,
  });
  await signed.sign(privateKey, 0, "SHA-256", new Uint8Array(covered).buffer, pkijsEngine);
  return Buffer.from(
    new ContentInfo({ contentType: OID_SIGNED_DATA, content: signed.toSchema(true) }).toSchema().toBER(),
  );
}

/** The time of signing is in the PDF's signature dictionary, not here (EN 319 142-1 §6.3). */
function signedAttributes(covered: Buffer, leaf: X509Certificate): Attribute[] {
  const digest = (bytes: Buffer) =>
    new OctetString({ valueHex: new Uint8Array(createHash("sha256").update(bytes).digest()) });
  // SigningCertificateV2 { certs { ESSCertIDv2 { certHash } } }: hashAlgorithm is left out, SHA-256 is its default.
  const signingCertificate = new Sequence({
    value: [new Sequence({ value: [new Sequence({ value: [digest(leaf.raw)] })] })],
  });
  const attributes = [
    new Attribute({ type: OID_CONTENT_TYPE, values: [new ObjectIdentifier({ value: OID_DATA })] }),
    new Attribute({ type: OID_MESSAGE_DIGEST, values: [digest(covered)] }),
    new Attribute({ type: OID_SIGNING_CERTIFICATE_V2, values: [signingCertificate] }),
  ];
  // DER: a SET OF is in the order of its members' bytes, and verifiers encode it anew.
  const encoded = (attribute: Attribute) => Buffer.from(attribute.toSchema().toBER());
  return attributes.toSorted((a, b) => Buffer.compare(encoded(a), encoded(b)));
}
