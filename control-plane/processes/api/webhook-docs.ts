import { z } from "zod";
import type { WebhookDoc } from "../../http/openapi.ts";
import { EVENTS } from "../../webhooks/event-catalog.ts";

/** The `webhooks` section of the OpenAPI document: the whole body of a delivery for each event. */
export function webhookDocs(): Record<string, WebhookDoc> {
  return Object.fromEntries(
    Object.entries(EVENTS).map(([type, { description, data, example }]) => [
      type,
      {
        description,
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
