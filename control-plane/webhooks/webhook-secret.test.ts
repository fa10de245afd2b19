import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { isWebhookSecret, newWebhookSecret, signatureHeaders } from "./webhook-secret.ts";

test("a made secret is one that can be brought", () => {
  expect(isWebhookSecret(newWebhookSecret())).toBe(true);
});

test.each([
  "",
  "whsec_",
  "whsec_short",
  `whsec_${Buffer.alloc(23, 1).toString("base64")}`,
  `whsec_${Buffer.alloc(65, 1).toString("base64")}`,
  "secret_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  "whsec_not base64 at all but long enough to pass",
])("%j cannot sign", (text) => {
  expect(isWebhookSecret(text)).toBe(false);
});

test("[E13] the reference library accepts the signature, under either secret of a rotation, and nothing else", () => {
  const [current, previous] = [newWebhookSecret(), newWebhookSecret()];
  const body = JSON.stringify({ name: "Riverside Business Park — Phase 1" });
  const headers = signatureHeaders([current, previous], "evt_1", new Date(), body);
  for (const secret of [current, previous]) expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow("No matching signature");
  expect(() => new Webhook(current).verify(`${body} `, headers)).toThrow("No matching signature");
});

test("the older header is the HMAC of the raw body under the newest secret as it is shown", () => {
  const secret = newWebhookSecret();
  expect(signatureHeaders([secret], "evt_1", new Date(), "{}")["x-dynamo-signature"]).toBe(
    `sha256=${createHmac("sha256", secret).update("{}").digest("hex")}`,
  );
});
