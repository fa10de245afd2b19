import type { ConfigReader } from "../config-reader.ts";
import { CERTIFICATE_TYPES, type CertificateAuthority, type CertificateType } from "./certificate-authority.ts";
import { createHttpAuthority } from "./http-authority.ts";
import { createLocalAuthority } from "./local-authority.ts";

const KINDS = ["none", "local", "http"] as const;

/** The kinds of certificate that somebody issues here: what SignCertificate goes by. CERTIFICATE_AUTHORITY, for every process that asks. */
export function readIssuedTypes(read: ConfigReader): readonly CertificateType[] {
  switch (read.choice("CERTIFICATE_AUTHORITY", "none", KINDS)) {
    case "none":
      return [];
    case "local":
      return ["ChargingStationCertificate"];
    case "http":
      return CERTIFICATE_TYPES;
  }
}

/**
 * Reads who issues certificates: CERTIFICATE_AUTHORITY with LOCAL_CA_KEY and LOCAL_CA_CERT (not in production, unless
 * LOCAL_CA_IN_PRODUCTION says that it is meant), or with CERTIFICATE_AUTHORITY_URL and CERTIFICATE_AUTHORITY_TOKEN.
 */
export function readCertificateAuthority(read: ConfigReader, production: boolean): CertificateAuthority | undefined {
  const validityDays = read.integer("LOCAL_CA_VALIDITY_DAYS", 365, 1, 3_650);
  const inProduction = read.boolean("LOCAL_CA_IN_PRODUCTION", false);
  switch (read.choice("CERTIFICATE_AUTHORITY", "none", KINDS)) {
    case "none":
      return undefined;
    case "local": {
      if (production && !inProduction)
        read.mistakes.push(
          "CERTIFICATE_AUTHORITY=local: its key is no better kept than a password; not with NODE_ENV=production, unless LOCAL_CA_IN_PRODUCTION=true",
        );
      const key: string | undefined = read.required("LOCAL_CA_KEY", "a private key as PEM", (pem) => pem);
      return read.required("LOCAL_CA_CERT", "X.509 certificates as PEM, the authority's first", (pem) =>
        key === undefined ? undefined : createLocalAuthority(key, pem, validityDays),
      );
    }
    case "http":
      return createHttpAuthority({
        url: read.url("CERTIFICATE_AUTHORITY_URL", production ? ["https:"] : ["https:", "http:"]),
        token: read.secret("CERTIFICATE_AUTHORITY_TOKEN"),
      });
  }
}
