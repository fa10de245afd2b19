import { z } from "zod";
import type { WebhookDoc } from "../../http/openapi.ts";
import { EVENTS } from "../../webhooks/event-catalog.ts";

/** What each delivery carries beside its body. How to check the signatures is told in docs/webhooks.md. */
const HEADERS = {
  "webhook-id": "The event's id, the same for every attempt.",
  "webhook-timestamp": "When this attempt was made, in seconds since 1970. Refuse old ones.",
  "webhook-signature":
    "Standard Webhooks: `v1,` and base64 of HMAC-SHA-256 over `{webhook-id}.{webhook-timestamp}.{raw body}`; the key is the secret without `whsec_`, decoded from base64. Two of them with a space between while the secret is rotated.",
  "X-Dynamo-Signature":
    "The older form: `sha256=` and hexadecimal of HMAC-SHA-256 over the raw body; the key is the whole text of the newest secret, `whsec_` included.",
};

/** The `webhooks` section of the OpenAPI document: headers and the whole body of a delivery, for each event. */
export function webhookDocs(): Record<string, WebhookDoc> {
  return Object.fromEntries(
    Object.entries(EVENTS).map(([type, { description, data, example }]) => [
      type,
      {
        description,
        headers: HEADERS,
        schema: z.object({
          id: z.string().describe("the same for every attempt: use it to notice repetitions"),
          type: z.literal(type),
          event: z.literal(type).describe("the same as `type`"),
          timestamp: z.iso.datetime(),
          data,
        }),
        example: {
          id: "evt_01hxab1c2d3e01hxab1c2d3e01",
          type,
          event: type,
          timestamp: "2026-05-01T10:33:12.000Z",
          data: example,
        },
      },
    ]),
  );
}
