import { err, ok } from "@dynamo-csms/proto/result";
import { request } from "undici";
import type { CertificateAuthority, NotIssued } from "./certificate-authority.ts";

/** Where an authority of the operator's is reached; the address is the operator's own choice. */
export interface HttpAuthoritySettings {
  url: string;
  token: string | undefined;
}

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 65_536;

/**
 * An authority behind two HTTP requests, for the operator's own (docs/certificates.md): `POST {url}/issue` and
 * `POST {url}/revoke` with JSON. 200 is done; 400, 403, 409 and 422 are a "no"; everything else is asked again.
 */
export function createHttpAuthority({ url, token }: HttpAuthoritySettings): CertificateAuthority {
  async function post(path: string, key: string, body: object): Promise<{ status: number; text: string }> {
    const answer = await request(`${url}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "idempotency-key": key,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    let text = "";
    for await (const chunk of answer.body.setEncoding("utf8")) {
      text += String(chunk);
      if (text.length > MAX_ANSWER_BYTES) throw new Error("the authority's answer is too long");
    }
    return { status: answer.statusCode, text };
  }

  return {
    async issue({ orderId, certificateType, csr, chargePointId, serialNumber, organizationName }) {
      const { status, text } = await post("/issue", orderId, {
        csr,
        certificate_type: certificateType,
        charge_point_id: chargePointId,
        serial_number: serialNumber,
        organization_name: organizationName,
      });
      if (status !== 200) return err(notDone(status, text));
      const chain = fieldOf(text, "certificate_chain");
      return chain === undefined
        ? err({ kind: "unavailable", reason: "an answer without certificate_chain" })
        : ok(chain);
    },
    async revoke({ serialNumber, fingerprint, reason }) {
      const { status, text } = await post("/revoke", fingerprint, { serial_number: serialNumber, fingerprint, reason });
      return status === 200 || status === 204 ? ok(undefined) : err(notDone(status, text));
    },
  };
}

const REFUSALS = new Set([400, 403, 409, 422]);

function notDone(status: number, text: string): NotIssued {
  const reason = fieldOf(text, "detail")?.slice(0, 200) ?? `HTTP ${status}`;
  return { kind: REFUSALS.has(status) ? "refused" : "unavailable", reason: `the authority says: ${reason}` };
}

function fieldOf(text: string, name: string): string | undefined {
  try {
    const value = (JSON.parse(text) as Record<string, unknown> | null)?.[name];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
