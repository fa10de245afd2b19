import { z } from "zod";
import { inTransaction, sqlOn } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { DELIVERY_WORK } from "./claim-delivery.ts";
import { orNotFound } from "./no-such-endpoint.ts";
import { createTestDelivery, listDeliveries, retryDelivery, type WebhookDelivery } from "./webhook-deliveries.ts";
import { findEndpoint } from "./webhook-endpoints.ts";
import type { WebhookRouteDeps } from "./webhook-routes.ts";

const TAG = "Webhooks";
const BASE = "/api/v1/webhooks";
const MANAGE = { kind: "organization", scope: "write:webhooks" } as const;
const READ = { kind: "organization", scope: "read:webhooks" } as const;
const endpointParams = z.object({ endpoint_id: z.string() });

const deliveryAnswer = z.object({
  id: z.string(),
  event_id: z.string().describe("the `webhook-id` of every attempt"),
  event_type: z.string(),
  status: z.enum(["pending", "delivered", "failed"]),
  attempts: z.int(),
  last_attempt_at: isoTime().nullable(),
  response_status: z.int().nullable(),
  error: z.string().nullable(),
  next_attempt_at: isoTime().nullable(),
  created_at: isoTime(),
});

/** What became of the events that were sent to an endpoint, and sending them once more. */
export function deliveryRoutes({ pool, wakeUps }: WebhookRouteDeps): Route[] {
  const sql = sqlOn(pool);

  return [
    defineRoute({
      method: "post",
      path: `${BASE}/endpoints/{endpoint_id}/test`,
      operationId: "testWebhookEndpoint",
      summary: "Send a test event to a webhook endpoint",
      description: "An event of type `webhook.test` goes to this endpoint. What came of it is in its deliveries.",
      tag: TAG,
      access: MANAGE,
      rateLimit: "write",
      idempotent: true,
      params: endpointParams,
      responses: {
        202: { description: "On its way", schema: z.object({ event_id: z.string(), delivery_id: z.string() }) },
      },
      problems: ["not_found", "conflict"],
      async handle({ caller, params }) {
        const endpoint = orNotFound(await findEndpoint(sql, caller.orgId, params.endpoint_id));
        if (endpoint.status === "disabled") throw disabled();
        const { eventId, deliveryId } = await inTransaction(pool, (tx) =>
          createTestDelivery(tx, caller.orgId, endpoint.id),
        );
        wakeUps.wake(DELIVERY_WORK, deliveryId);
        return { status: 202, body: { event_id: eventId, delivery_id: deliveryId } };
      },
    }),
    defineRoute({
      method: "get",
      path: `${BASE}/endpoints/{endpoint_id}/deliveries`,
      operationId: "listWebhookDeliveries",
      summary: "List the deliveries of a webhook endpoint",
      tag: TAG,
      access: READ,
      rateLimit: "read",
      params: endpointParams,
      query: z.strictObject({ ...pageQuery, status: z.enum(["pending", "delivered", "failed"]).optional() }),
      responses: {
        200: {
          description: "Newest first, of the last 30 days",
          schema: z.object({ deliveries: z.array(deliveryAnswer), ...pageAnswer }),
        },
      },
      problems: ["not_found"],
      async handle({ caller, params, query }) {
        orNotFound(await findEndpoint(sql, caller.orgId, params.endpoint_id));
        const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await listDeliveries(sql, params.endpoint_id, query.status, query.limit, after);
        const { page, ...more } = pageOf(rows, query.limit, (row) => [row.position, row.id]);
        return { status: 200, body: { deliveries: page.map(shownDelivery), ...more } };
      },
    }),
    defineRoute({
      method: "post",
      path: `${BASE}/deliveries/{delivery_id}/retry`,
      operationId: "retryWebhookDelivery",
      summary: "Send an event once more",
      description: "Starts the schedule of this delivery anew, also of one that succeeded. The event keeps its id.",
      tag: TAG,
      access: MANAGE,
      rateLimit: "write",
      idempotent: true,
      params: z.object({ delivery_id: z.string() }),
      responses: { 202: { description: "On its way", schema: deliveryAnswer } },
      problems: ["not_found", "conflict"],
      async handle({ caller, params }) {
        const delivery = await retryDelivery(sql, caller.orgId, params.delivery_id);
        if (delivery === "endpoint_disabled") throw disabled();
        if (delivery === "not_found") throw new ProblemError("not_found", "There is no such delivery.");
        wakeUps.wake(DELIVERY_WORK, delivery.id);
        return { status: 202, body: shownDelivery(delivery) };
      },
    }),
  ];
}

const disabled = () =>
  new ProblemError("conflict", "The webhook endpoint is disabled.", {
    remedy: "Set its status to active with PATCH first.",
  });

const shownDelivery = ({ position: _, ...delivery }: WebhookDelivery) => ({
  ...delivery,
  last_attempt_at: delivery.last_attempt_at === null ? null : isoMillis(delivery.last_attempt_at),
  next_attempt_at: delivery.next_attempt_at === null ? null : isoMillis(delivery.next_attempt_at),
  created_at: isoMillis(delivery.created_at),
});
