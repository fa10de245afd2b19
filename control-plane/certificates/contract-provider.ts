import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { request } from "undici";

/** Who issues contract certificates of vehicles (ISO 15118 certificate provisioning service, an eMSP or its pool). */
export interface ContractProvider {
  /** @param payloadText of a Get15118EVCertificate. @returns the payload of its answer, not checked yet; else why there is none. */
  ask(payloadText: string): Promise<Result<object, string>>;
}

/** Below the time that a gateway waits for a decision. */
const TIMEOUT_MS = 4_000;
const MAX_ANSWER_BYTES = 65_536;

/**
 * A provider that speaks OCPP's own words over HTTP: the CALL's payload is POSTed, the answer is the CALLRESULT's payload.
 * @param url chosen by the operator (ISO15118_PROVIDER_URL), so it may be an internal one.
 */
export function createContractProvider(url: string, token: string | undefined): ContractProvider {
  return {
    async ask(payloadText) {
      try {
        const answer = await request(url, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
          body: payloadText,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        let text = "";
        for await (const chunk of answer.body.setEncoding("utf8")) {
          text += String(chunk);
          if (text.length > MAX_ANSWER_BYTES) return err("the provider's answer is too long");
        }
        if (answer.statusCode !== 200) return err(`the provider answers with HTTP ${answer.statusCode}`);
        const payload: unknown = JSON.parse(text);
        return typeof payload === "object" && payload !== null
          ? ok(payload)
          : err("the provider's answer is no object");
      } catch {
        return err("the provider does not answer");
      }
    },
  };
}
