import { createPrivateKey, X509Certificate } from "node:crypto";
import type { EnvironmentReader } from "@dynamo-csms/proto/process/environment";

/** 1 plain, 2 TLS, 3 mutual TLS: the security profile that a listener stands for (one per port, A00.FR.006). */
export type ListenerProfile = 1 | 2 | 3;

export interface ListenerSettings {
  profile: ListenerProfile;
  /** 0: any free one. */
  port: number;
  /** PEM texts. `clientAuthorities`: whose client certificates are taken. */
  tls?: { certificate: string; key: string; clientAuthorities?: string };
}

export interface ListenersSettings {
  /** At least one, the plain one first. */
  listeners: ListenerSettings[];
  /** Who may have issued a station's certificate; undefined: whoever the proxy takes. */
  clientAuthorities?: X509Certificate[];
  /** Lower case; undefined: no proxy passes certificates on. */
  clientCertificateHeader?: string;
}

/** Reads which listeners there are. Mistakes go to the reader. */
export function readListeners(read: EnvironmentReader): ListenersSettings {
  const plain = read.text("GATEWAY_PORT") === "off" ? undefined : read.integer("GATEWAY_PORT", 9000, 0, 65_535);
  const tlsPort = optionalPort(read, "GATEWAY_TLS_PORT");
  const mtlsPort = optionalPort(read, "GATEWAY_MTLS_PORT");
  const certificate = read.parsed("GATEWAY_TLS_CERT", read.secret("GATEWAY_TLS_CERT"), checkedCertificates);
  const key = read.parsed("GATEWAY_TLS_KEY", read.secret("GATEWAY_TLS_KEY"), checkedKey);
  const authorities = read.parsed("GATEWAY_MTLS_CA", read.secret("GATEWAY_MTLS_CA"), checkedCertificates);
  const header = read.parsed("CLIENT_CERTIFICATE_HEADER", read.text("CLIENT_CERTIFICATE_HEADER"), checkedHeaderName);

  const listeners: ListenerSettings[] = plain === undefined ? [] : [{ profile: 1, port: plain }];
  if (tlsPort !== undefined || mtlsPort !== undefined) {
    if (certificate === undefined || key === undefined)
      read.mistakes.push("GATEWAY_TLS_PORT and GATEWAY_MTLS_PORT: want GATEWAY_TLS_CERT and GATEWAY_TLS_KEY (PEM)");
    else if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
      read.mistakes.push("GATEWAY_TLS_KEY: is not the key of GATEWAY_TLS_CERT's first certificate");
    else {
      const tls = { certificate, key };
      if (tlsPort !== undefined) listeners.push({ profile: 2, port: tlsPort, tls });
      if (mtlsPort !== undefined && authorities !== undefined)
        listeners.push({ profile: 3, port: mtlsPort, tls: { ...tls, clientAuthorities: authorities } });
    }
  }
  if (mtlsPort !== undefined && authorities === undefined)
    read.mistakes.push("GATEWAY_MTLS_PORT: want GATEWAY_MTLS_CA, the authorities of the stations' certificates (PEM)");
  if (plain === undefined && tlsPort === undefined && mtlsPort === undefined)
    read.mistakes.push("GATEWAY_PORT=off: want GATEWAY_TLS_PORT or GATEWAY_MTLS_PORT then");

  return {
    listeners,
    ...(authorities === undefined
      ? {}
      : { clientAuthorities: splitPem(authorities).map((pem) => new X509Certificate(pem)) }),
    ...(header === undefined ? {} : { clientCertificateHeader: header }),
  };
}

function optionalPort(read: EnvironmentReader, name: string): number | undefined {
  return read.text(name) === undefined ? undefined : read.integer(name, 0, 0, 65_535);
}

const splitPem = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];

function checkedCertificates(text: string): string {
  const parts = splitPem(text);
  try {
    for (const pem of parts) new X509Certificate(pem);
  } catch {
    throw new Error("holds what is no certificate");
  }
  if (parts.length === 0) throw new Error("want one or more certificates in PEM");
  return `${parts.join("\n")}\n`;
}

function checkedKey(text: string): string {
  try {
    createPrivateKey(text);
  } catch {
    throw new Error("want a private key in PEM, not encrypted");
  }
  return `${text}\n`;
}

function checkedHeaderName(text: string): string {
  if (!/^[a-z0-9-]+$/i.test(text)) throw new Error("want a header's name, such as x-forwarded-client-cert");
  return text.toLowerCase();
}
