import { createHmac, randomBytes } from "node:crypto";

/** A new signing secret: `whsec_` and base64 of 32 random bytes (Standard Webhooks asks for 24 to 64). */
export const newWebhookSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

/** Whether a secret that a customer brings can sign: `whsec_` and base64 of 24 to 64 bytes. */
export function isWebhookSecret(text: string): boolean {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (encoded === undefined) return false;
  const bytes = Buffer.from(encoded, "base64");
  // Decoding skips what is no base64, so only what encodes back is base64.
  return (
    bytes.length >= 24 &&
    bytes.length <= 64 &&
    bytes.toString("base64").replace(/=+$/, "") === encoded.replace(/=+$/, "")
  );
}

/**
 * The signature headers of one attempt: Standard Webhooks 1.0.0 with every secret that is valid now (two during a rotation),
 * and the older header, HMAC-SHA-256 of the raw body under the newest secret's text as it is shown (prefix included).
 * @param attemptAt the time of this attempt: receivers refuse old ones
 */
export function signatureHeaders(
  secrets: readonly [string, ...string[]],
  eventId: string,
  attemptAt: Date,
  body: string,
): Record<string, string> {
  const timestamp = Math.floor(attemptAt.getTime() / 1_000);
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    return `v1,${createHmac("sha256", key).update(`${eventId}.${timestamp}.${body}`).digest("base64")}`;
  });
  return {
    "webhook-id": eventId,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatures.join(" "),
    "x-dynamo-signature": `sha256=${createHmac("sha256", secrets[0]).update(body).digest("hex")}`,
  };
}

/** What a sealed endpoint secret is bound to. */
export const secretContext = (endpointId: string) => `webhook_endpoints.sealed_secret:${endpointId}`;
