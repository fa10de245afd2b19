import { createPrivateKey, type KeyObject, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { ok } from "@dynamo-csms/proto/result";
import { Integer, OctetString, Sequence, Set, Utf8String } from "asn1js";
import {
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  PublicKeyInfo,
  RelativeDistinguishedNames,
} from "pkijs";
import type { CertificateAuthority, CertificateOrder } from "./certificate-authority.ts";
import { splitPem } from "./issued-certificate.ts";
import { pkijsEngine } from "../pkijs-engine.ts";

/** Stations' clocks are a little behind at times. */
const BACKDATED_MS = 10 * 60_000;
const DAY_MS = 86_400_000;
const OID = {
  commonName: "2.5.4.3",
  organizationName: "2.5.4.10",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extKeyUsage: "2.5.29.37",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/**
 * An authority of our own, for development: its key lies beside the database. It issues charging stations' own certificates
 * (client authentication) for the subject that is on file, whatever else the request says.
 * @param keyPem of the authority: RSA or EC P-256. @param certificatesPem its certificate, then its issuers' if it is no root.
 * Throws with the reason when they do not fit together.
 */
export function createLocalAuthority(
  keyPem: string,
  certificatesPem: string,
  validityDays: number,
): CertificateAuthority {
  const key = createPrivateKey(keyPem);
  const chain = splitPem(certificatesPem).map((pem) => new X509Certificate(pem));
  const authority = chain[0];
  if (authority === undefined) throw new Error("the certificate is not PEM");
  if (!authority.checkPrivateKey(key)) throw new Error("the key is not that of the certificate");
  if (!authority.ca) throw new Error("the certificate is not that of an authority (basicConstraints)");
  const algorithm = algorithmOf(key);
  // A root is with whoever trusts it.
  const above = chain.filter((certificate) => certificate.subject !== certificate.issuer);

  return {
    async issue(order) {
      const certificate = describe(order, Certificate.fromBER(new Uint8Array(authority.raw)));
      certificate.notBefore.value = new Date(Date.now() - BACKDATED_MS);
      certificate.notAfter.value = new Date(
        Math.min(Date.now() + validityDays * DAY_MS, authority.validToDate.getTime()),
      );
      const pkcs8 = key.export({ type: "pkcs8", format: "der" });
      const signer = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
      await certificate.sign(signer, "SHA-256", pkijsEngine);
      const leaf = new X509Certificate(Buffer.from(certificate.toSchema(true).toBER(false)));
      return ok([leaf, ...above].map((one) => one.toString()).join(""));
    },
  };
}

function describe(order: CertificateOrder, authority: Certificate): Certificate {
  const certificate = new Certificate({ version: 2 });
  // Positive, and never the same twice (RFC 5280 §4.1.2.2).
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  certificate.serialNumber = new Integer({ valueHex: new Uint8Array(serial).buffer });
  certificate.issuer = authority.subject;
  certificate.subject = subjectOf(order);
  certificate.subjectPublicKeyInfo = PublicKeyInfo.fromBER(
    new Uint8Array(order.publicKey.export({ type: "spki", format: "der" })),
  );
  certificate.extensions = extensions(authority);
  return certificate;
}

/** Each name in a set of its own; pkijs would put them into one, which is another name. */
function subjectOf({ organizationName, serialNumber }: CertificateOrder): RelativeDistinguishedNames {
  const names = [
    new AttributeTypeAndValue({ type: OID.organizationName, value: new Utf8String({ value: organizationName }) }),
    new AttributeTypeAndValue({ type: OID.commonName, value: new Utf8String({ value: serialNumber }) }),
  ];
  const der = new Sequence({ value: names.map((name) => new Set({ value: [name.toSchema()] })) }).toBER();
  return RelativeDistinguishedNames.fromBER(der);
}

function extensions(authority: Certificate): Extension[] {
  const of = (extnID: string, critical: boolean, extnValue: ArrayBuffer) =>
    new Extension({ extnID, critical, extnValue });
  const made = [
    of(OID.basicConstraints, true, new BasicConstraints({ cA: false }).toSchema().toBER(false)),
    // DER of a BIT STRING: digitalSignature, keyEncipherment.
    of(OID.keyUsage, true, new Uint8Array([0x03, 0x02, 0x05, 0xa0]).buffer),
    of(OID.extKeyUsage, false, new ExtKeyUsage({ keyPurposes: [OID.clientAuth] }).toSchema().toBER(false)),
  ];
  const own = authority.extensions?.find((extension) => extension.extnID === OID.subjectKeyIdentifier)?.parsedValue as
    | OctetString
    | undefined;
  if (own !== undefined) {
    const keyIdentifier = new OctetString({ valueHex: own.valueBlock.valueHexView });
    made.push(
      of(OID.authorityKeyIdentifier, false, new AuthorityKeyIdentifier({ keyIdentifier }).toSchema().toBER(false)),
    );
  }
  return made;
}

function algorithmOf(key: KeyObject) {
  if (key.asymmetricKeyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2_048)
    return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1")
    return { name: "ECDSA", namedCurve: "P-256" };
  throw new Error("the key is neither RSA of 2048 bits nor EC P-256");
}
