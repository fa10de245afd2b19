import { err, type Result } from "@dynamo-csms/proto/result";
import type { GuardedFetch } from "../webhooks/guarded-fetch.ts";
import { type CertificateHash, encodeOcspRequest, type OcspAnswer, readOcspAnswer } from "./ocsp-message.ts";

/** Asks OCSP responders whose addresses stations give: where they may lie is decided by the guarded fetch it is made with. */
export interface OcspClient {
  /** The responder's word on a certificate; else why there is none, for a person. Rejects never. */
  ask(asked: CertificateHash, responderUrl: string): Promise<Result<OcspAnswer, string>>;
}

export interface OcspClientDeps {
  fetch: Pick<GuardedFetch, "send">;
  /** The only hosts that are asked; empty: any that the guarded fetch allows. */
  allowedHosts: ReadonlySet<string>;
}

/** Below the time that a gateway waits for a decision. */
const TIMEOUT_MS = 3_000;
/** The longest that GetCertificateStatus can carry is 18000 characters of base64 (2.1). */
const MAX_ANSWER_BYTES = 16_384;

/** An OCSP client (RFC 6960 appendix A): POST, one certificate a time, no redirects, nothing but an OCSP answer is read. */
export function createOcspClient({ fetch, allowedHosts }: OcspClientDeps): OcspClient {
  return {
    async ask(asked, responderUrl) {
      const body = encodeOcspRequest(asked);
      if (body === undefined) return err("these are no hashes of a certificate");
      if (!URL.canParse(responderUrl)) return err("the responder's address is no URL");
      const host = new URL(responderUrl).hostname;
      if (allowedHosts.size > 0 && !allowedHosts.has(host))
        return err("the responder is not on the list of those that are asked");
      const sent = await fetch.send({
        url: responderUrl,
        method: "POST",
        headers: { "content-type": "application/ocsp-request", accept: "application/ocsp-response" },
        body,
        timeoutMs: TIMEOUT_MS,
        maxResponseBytes: MAX_ANSWER_BYTES,
      });
      // One text for all of it: whether a name of our own networks resolves is nothing for a station to know.
      if (!sent.ok) return err("the responder cannot be reached");
      if (sent.value.status !== 200) return err(`the responder answers with HTTP ${sent.value.status}`);
      return readOcspAnswer(sent.value.body, asked, new Date());
    },
  };
}
