import { X509Certificate } from "node:crypto";
import { splitPem } from "./issued-certificate.ts";
import type { OcspClient } from "./ocsp-client.ts";
import { type CertificateHash, hashDataOf } from "./ocsp-message.ts";

/** AuthorizeCertificateStatusEnumType (2.x C07). */
export type ContractStatus =
  | "Accepted"
  | "SignatureError"
  | "CertificateExpired"
  | "CertificateRevoked"
  | "NoCertificateAvailable"
  | "CertChainError";

export interface ContractDeps {
  ocsp: OcspClient | undefined;
  /** Whom contracts are believed from: roots and authorities of mobility operators. */
  roots: readonly X509Certificate[];
}

/** What an Authorize brings of a contract (2.x C07). */
export interface ContractClaim {
  /** The eMAID. */
  token: string;
  /** PEM, the vehicle's certificate first; sent when the station cannot check it by itself. */
  certificate?: string | undefined;
  hashData?: readonly (CertificateHash & { responderURL: string })[] | undefined;
}

/**
 * Judges the contract certificate of an Authorize: the chain up to a root of ours where it is sent, and every certificate
 * whose hashes are sent with its responder. What cannot be checked is not accepted. Rejects never.
 */
export async function judgeContract(claim: ContractClaim, deps: ContractDeps): Promise<ContractStatus> {
  const chain = readChain(claim.certificate);
  if (chain === undefined) return "CertChainError";
  if (chain.length > 0) {
    const broken = judgeChain(chain, claim.token, deps.roots, new Date());
    if (broken !== undefined) return broken;
  }
  // Both: the hashes are the station's word, and could be those of another certificate.
  const asked = [...(claim.hashData ?? []), ...responderOf(chain)];
  // A chain that names no responder has none; without a chain there is nothing at all to judge by.
  if (asked.length === 0) return chain.length > 0 ? "Accepted" : "NoCertificateAvailable";
  const { ocsp } = deps;
  if (ocsp === undefined) return "NoCertificateAvailable";
  const answers = await Promise.all(asked.map((one) => ocsp.ask(one, one.responderURL)));
  const issuers = [...chain, ...deps.roots];
  let verdict: ContractStatus = "Accepted";
  for (const answer of answers) {
    if (!answer.ok || !answer.value.isSignedBy(issuers)) verdict = "CertChainError";
    else if (answer.value.status === "revoked") return "CertificateRevoked";
    else if (answer.value.status === "unknown") verdict = "CertChainError";
  }
  return verdict;
}

const MAX_CHAIN = 5;

function readChain(pem: string | undefined): X509Certificate[] | undefined {
  if (pem === undefined) return [];
  try {
    const chain = splitPem(pem).map((one) => new X509Certificate(one));
    return chain.length === 0 || chain.length > MAX_CHAIN ? undefined : chain;
  } catch {
    return undefined;
  }
}

/** eMAIDs are written with and without hyphens, in any case (ISO 15118-2 annex H). */
const plain = (emaid: string) => emaid.replaceAll("-", "").toUpperCase();

function judgeChain(
  chain: readonly X509Certificate[],
  token: string,
  roots: readonly X509Certificate[],
  now: Date,
): ContractStatus | undefined {
  if (roots.length === 0) return "NoCertificateAvailable";
  const name: unknown = chain[0]?.toLegacyObject().subject.CN;
  if (typeof name !== "string" || plain(name) !== plain(token)) return "CertChainError";
  if (chain.some((one) => one.validToDate < now || one.validFromDate > now)) return "CertificateExpired";
  for (const [index, certificate] of chain.entries()) {
    const anchor = roots.find((root) => root.fingerprint256 === certificate.fingerprint256);
    if (anchor !== undefined && index > 0) return undefined;
    const named = [chain[index + 1], ...roots].filter(
      (issuer) => issuer !== undefined && certificate.checkIssued(issuer),
    );
    const issuer = named.find((one) => one !== undefined && one.ca && certificate.verify(one.publicKey));
    if (issuer === undefined) return named.length === 0 ? "CertChainError" : "SignatureError";
    if (roots.includes(issuer)) return issuer.validToDate < now ? "CertificateExpired" : undefined;
  }
  return "CertChainError";
}

/** The responder that the certificate itself names (authority information access). */
function responderOf(chain: readonly X509Certificate[]): (CertificateHash & { responderURL: string })[] {
  const [certificate, issuer] = chain;
  const responderURL = /^OCSP - URI:(\S+)$/m.exec(certificate?.infoAccess ?? "")?.[1];
  if (certificate === undefined || issuer === undefined || responderURL === undefined) return [];
  return [{ ...hashDataOf(certificate, issuer), responderURL }];
}
