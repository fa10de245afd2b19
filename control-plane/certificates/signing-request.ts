import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { CertificationRequest, type RelativeDistinguishedNames } from "pkijs";
import { HASH_OF_SIGNATURE } from "./signature-hashes.ts";

/** A certificate signing request (PKCS#10, RFC 2986) whose signature is that of its own key: whoever made it has the key. */
export interface CheckedSigningRequest {
  /** SHA-256 of its DER. */
  hash: Buffer;
  publicKey: KeyObject;
  /** Of the subject; undefined where it has none, or several. */
  commonName: string | undefined;
  organizationName: string | undefined;
}

const PEM =
  /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/;

const COMMON_NAME = "2.5.4.3";
const ORGANIZATION_NAME = "2.5.4.10";

/** A text as it is told apart from others when nothing in it can be read. */
export const hashOfText = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Reads a PEM text and checks the request's own signature; else the reason, for a person. Never throws: it is a station's word. */
export function readSigningRequest(pem: string): Result<CheckedSigningRequest, string> {
  const base64 = PEM.exec(pem)?.[1];
  if (base64 === undefined) return err("it is no PEM text of a certificate request");
  const der = Buffer.from(base64, "base64");
  try {
    const request = CertificationRequest.fromBER(new Uint8Array(der));
    const hash = HASH_OF_SIGNATURE[request.signatureAlgorithm.algorithmId];
    if (hash === undefined) return err("it is signed with an algorithm that is not taken");
    const spki = Buffer.from(request.subjectPublicKeyInfo.toSchema().toBER());
    const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
    const signature = Buffer.from(request.signatureValue.valueBlock.valueHexView);
    if (!verify(hash, request.tbsView, publicKey, signature)) return err("its signature is not that of its key");
    return ok({
      hash: createHash("sha256").update(der).digest(),
      publicKey,
      commonName: onlyOne(request.subject, COMMON_NAME),
      organizationName: onlyOne(request.subject, ORGANIZATION_NAME),
    });
  } catch {
    return err("it cannot be read");
  }
}

/** A name that stands there twice could be read as either. */
function onlyOne(subject: RelativeDistinguishedNames, oid: string): string | undefined {
  const values = subject.typesAndValues.filter((entry) => String(entry.type) === oid);
  const value: unknown = values.length === 1 ? values[0]?.value.valueBlock.value : undefined;
  return typeof value === "string" ? value.normalize("NFC") : undefined;
}

const CURVES = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** Why a key is too weak, or of a kind that is not taken (WP3 A00.FR.502: RSA of 2048 bits, or as strong); undefined: it is not. */
export function refuseKey({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string | undefined {
  if (type === "rsa") {
    const bits = details?.modulusLength ?? 0;
    // Longer ones are of no use, and costly to check.
    return bits >= 2_048 && bits <= 8_192 ? undefined : `its RSA key has ${bits} bits, wanted are 2048 to 8192`;
  }
  if (type === "ec") {
    const curve = details?.namedCurve ?? "unknown";
    return CURVES.has(curve) ? undefined : `its key is on the curve ${curve}, wanted is P-256, P-384 or P-521`;
  }
  return "its key is neither RSA nor elliptic";
}

/**
 * Why a charging station's own certificate must not be issued for this request; undefined: it may. CN is the serial number
 * on file and O the organisation's name (WP3 and 2.x A00.FR.404, A00.FR.405).
 */
export function refuseSubject(
  request: Pick<CheckedSigningRequest, "commonName" | "organizationName">,
  expected: { serialNumber: string; organizationName: string },
): string | undefined {
  if (request.commonName !== expected.serialNumber.normalize("NFC"))
    return "its CN is not the serial number of this charge point";
  if (request.organizationName !== expected.organizationName.normalize("NFC"))
    return "its O is not the name of the organisation";
  return undefined;
}
