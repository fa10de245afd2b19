import type { X509Certificate } from "node:crypto";
import type { CertificateType } from "./certificate-authority.ts";
import type { ContractProvider } from "./contract-provider.ts";
import type { OcspClient } from "./ocsp-client.ts";

/** What the decisions about certificates need of the world outside. */
export interface CertificateDecisions {
  /** The kinds of certificate that somebody issues here. */
  issuedTypes: readonly CertificateType[];
  ocsp: OcspClient | undefined;
  contractProvider: ContractProvider | undefined;
  /** Authorities of ISO 15118 that are believed: roots, and whoever signs OCSP answers. */
  roots: readonly X509Certificate[];
}

/** Actions that may wait for somebody else's server. */
const ACTIONS: ReadonlySet<string> = new Set([
  "Get15118EVCertificate",
  "GetCertificateStatus",
  "GetCertificateChainStatus",
]);

/**
 * Whether deciding this CALL may wait for a server out there: such CALLs have places of their own, so that slow responders,
 * whose addresses come from stations, do not hold up everybody's transactions. @param payloadText of an Authorize is looked
 * into, and may be judged wrongly by a token that looks like a field's name, or by one with an escape, as names may be
 * written with too: which does no harm.
 */
export const mayWaitForOthers = (action: string, payloadText: string): boolean =>
  ACTIONS.has(action) ||
  (action === "Authorize" && /"(?:certificate|iso15118CertificateHashData)"|\\u/.test(payloadText));
