import { X509Certificate } from "node:crypto";
import type { StationRecord } from "@dynamo-csms/proto/station-record";

/** What a station's certificate says of it. That it belongs to the station was shown in the TLS handshake, here or at the proxy. */
export interface ClientCertificate {
  /** SHA-256 of the certificate, lower-case hex. */
  fingerprint: string;
  /** "" when the subject has none, or several. */
  commonName: string;
  /** As `commonName`. */
  organization: string;
  validFrom: Date;
  validTo: Date;
  /** Whether one of these certificates signed it. */
  isIssuedBy(authorities: readonly X509Certificate[]): boolean;
}

/** Reads a certificate in PEM. Undefined: it is none. */
export function readClientCertificate(pem: string): ClientCertificate | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    return undefined;
  }
  const subject = certificate.toLegacyObject().subject as Record<string, string | string[] | undefined> | undefined;
  // Two values are two claims: neither counts.
  const only = (value: string | string[] | undefined) => (typeof value === "string" ? value : "");
  return {
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    commonName: only(subject?.["CN"]),
    organization: only(subject?.["O"]),
    validFrom: certificate.validFromDate,
    validTo: certificate.validToDate,
    isIssuedBy: (authorities) =>
      authorities.some((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey)),
  };
}

/**
 * Reads the header in which a proxy that ended TLS passes the station's certificate on: Envoy's form
 * (`…;Cert="{percent-encoded PEM}";…`, one element per hop, the nearest last), or the percent-encoded PEM alone, as nginx
 * has it in `$ssl_client_escaped_cert`.
 */
export function certificateOfHeader(value: string): ClientCertificate | undefined {
  const encoded = value.startsWith("-----BEGIN") ? value : /(?:^|;)\s*cert="([^"]*)"/i.exec(nearestHop(value))?.[1];
  if (encoded === undefined) return undefined;
  try {
    return readClientCertificate(decodeURIComponent(encoded));
  } catch {
    return undefined;
  }
}

/** The last element of a list whose quoted values may hold commas; "" when a quote is left open, for then anything may be forged. */
function nearestHop(value: string): string {
  const parts = value.split('"');
  if (parts.length % 2 === 0) return "";
  let quoted = parts.length - 1;
  // Outside of quotes are the parts with an even index.
  while (quoted > 0 && !(parts[quoted] as string).includes(",")) quoted -= 2;
  const last = parts.slice(Math.max(quoted, 0));
  last[0] = (last[0] as string).slice((last[0] as string).lastIndexOf(",") + 1);
  return last.join('"');
}

/**
 * What keeps this certificate from standing for the station: A00.FR.402, 404, 405 (2.x Part 2), 1.6 security extension §4.
 * The chain was verified in the TLS handshake; the dates are checked again, since a resumed session is not verified anew.
 * Undefined: nothing.
 */
export function whyNotTheStations(
  certificate: ClientCertificate,
  record: Pick<StationRecord, "serialNumber" | "organizationName" | "revokedCertificates">,
  now: Date,
): string | undefined {
  if (now < certificate.validFrom) return "the certificate is not valid yet";
  if (now > certificate.validTo) return "the certificate has expired";
  if (record.revokedCertificates?.includes(certificate.fingerprint)) return "the certificate was revoked";
  if (record.serialNumber === undefined || record.serialNumber === "")
    return "no serial number is on file to compare the certificate's common name with";
  if (certificate.commonName !== record.serialNumber)
    return "the certificate's common name is not the serial number on file";
  if (record.organizationName !== undefined && certificate.organization !== record.organizationName)
    return "the certificate's organisation is not the one on file";
  return undefined;
}
