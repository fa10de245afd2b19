import { X509Certificate } from "node:crypto";
import type { ConfigReader } from "../config-reader.ts";
import { parseNetworks } from "../webhooks/address-rules.ts";
import { createGuardedFetch, type GuardedFetch, type TargetRules } from "../webhooks/guarded-fetch.ts";
import { readIssuedTypes } from "./authority-config.ts";
import type { CertificateType } from "./certificate-authority.ts";
import type { CertificateDecisions } from "./certificate-decisions.ts";
import { createContractProvider } from "./contract-provider.ts";
import { splitPem } from "./issued-certificate.ts";
import { createOcspClient } from "./ocsp-client.ts";

export interface CertificateDecisionSettings {
  issuedTypes: readonly CertificateType[];
  /** Public addresses alone: there is no setting that would let a station's URL lead inside. */
  ocspTargets: TargetRules;
  ocspHosts: ReadonlySet<string>;
  roots: readonly X509Certificate[];
  contractProvider: { url: string; token: string | undefined } | undefined;
}

/**
 * Reads what certificates are decided with: CERTIFICATE_AUTHORITY, OCSP_RESPONDERS (hosts; none: any public one), OCSP_PORTS,
 * OCSP_BLOCKED_NETWORKS (CIDRs), ISO15118_ROOTS (PEM), ISO15118_PROVIDER_URL and ISO15118_PROVIDER_TOKEN.
 */
export function readCertificateDecisions(read: ConfigReader, production: boolean): CertificateDecisionSettings {
  const ports = list(read.text("OCSP_PORTS", "80,443")).map(Number);
  if (ports.length === 0 || !ports.every((port) => Number.isInteger(port) && port > 0 && port <= 65_535))
    read.mistakes.push("OCSP_PORTS: want ports, separated by commas");
  const blockedNetworks = list(read.text("OCSP_BLOCKED_NETWORKS", ""));
  try {
    parseNetworks(blockedNetworks);
  } catch (cause) {
    read.mistakes.push(`OCSP_BLOCKED_NETWORKS: ${(cause as Error).message}`);
  }
  return {
    issuedTypes: readIssuedTypes(read),
    ocspTargets: { allowPrivate: false, plainHttp: true, ports, blockedNetworks },
    ocspHosts: new Set(list(read.text("OCSP_RESPONDERS", "").toLowerCase())),
    roots: readRoots(read),
    contractProvider:
      read.optional("ISO15118_PROVIDER_URL") === undefined
        ? undefined
        : {
            url: read.url("ISO15118_PROVIDER_URL", production ? ["https:"] : ["https:", "http:"]),
            token: read.secret("ISO15118_PROVIDER_TOKEN"),
          },
  };
}

function readRoots(read: ConfigReader): X509Certificate[] {
  const pems = splitPem(read.secret("ISO15118_ROOTS") ?? "");
  try {
    return pems.map((pem) => new X509Certificate(pem));
  } catch {
    read.mistakes.push("ISO15118_ROOTS: want X.509 certificates as PEM");
    return [];
  }
}

/** Puts together what the decisions need. @param fetch whose rules are those of `ocspTargets`; a test's own may reach a responder on this machine. */
export function openCertificateDecisions(
  settings: CertificateDecisionSettings,
  fetch: GuardedFetch = createGuardedFetch(settings.ocspTargets),
): CertificateDecisions & { close(): Promise<void> } {
  const { issuedTypes, roots, contractProvider, ocspHosts } = settings;
  return {
    issuedTypes,
    roots,
    ocsp: createOcspClient({ fetch, allowedHosts: ocspHosts }),
    contractProvider: contractProvider && createContractProvider(contractProvider.url, contractProvider.token),
    close: () => fetch.close(),
  };
}

const list = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
