import { z } from "zod";
import { sqlOn } from "../database.ts";
import { isoTime, lines, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { EVENT_TYPES } from "./event-catalog.ts";
import { refuseTarget } from "./guarded-fetch.ts";
import { noSuchEndpoint, orNotFound } from "./no-such-endpoint.ts";
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  findEndpoint,
  listEndpoints,
  MAX_ENDPOINTS,
  ROTATION_HOURS,
  rotateSecret,
  type WebhookEndpoint,
} from "./webhook-endpoints.ts";
import type { WebhookRouteDeps } from "./webhook-routes.ts";
import { isWebhookSecret } from "./webhook-secret.ts";

const TAG = "Webhooks";
const BASE = "/api/v1/webhooks";
const MANAGE = { kind: "organization", scope: "write:webhooks" } as const;
const READ = { kind: "organization", scope: "read:webhooks" } as const;
const endpointParams = z.object({ endpoint_id: z.string() });

const endpointAnswer = z.object({
  id: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  description: z.string().nullable(),
  status: z.enum(["active", "disabled"]),
  disabled_reason: z.string().nullable(),
  created_at: isoTime(),
});
const secret = z.string().describe("`whsec_` and base64; shown this once");

/** The organisation's webhook endpoints and their secrets. */
export function endpointRoutes({ pool, secretsKey, targetRules }: WebhookRouteDeps): Route[] {
  const sql = sqlOn(pool);
  const url = z
    .string()
    .max(2_000)
    .describe(
      targetRules.allowPrivate
        ? "where events are sent to"
        : `https, port ${targetRules.ports.join(" or ")}, a public address`,
    )
    .check((context) => {
      const refusal = refuseTarget(context.value, targetRules);
      if (refusal !== undefined) context.issues.push({ code: "custom", message: refusal, input: context.value });
    });
  const events = z
    .array(z.enum([...EVENT_TYPES, "*"]))
    .min(1)
    .max(EVENT_TYPES.length + 1)
    .describe("types of events, or `*` for all of them");
  const description = lines(500);
  const ownSecret = z
    .string()
    .max(200)
    .describe("`whsec_` and base64 of 24 to 64 bytes; left out, one is made")
    .refine(isWebhookSecret, "must be `whsec_` and base64 of 24 to 64 bytes");

  return [
    defineRoute({
      method: "post",
      path: `${BASE}/endpoints`,
      operationId: "createWebhookEndpoint",
      summary: "Create a webhook endpoint",
      description:
        "Events are signed after Standard Webhooks 1.0.0 with the endpoint's secret, and sent until the endpoint answers 2xx, at most ten times in three days.",
      tag: TAG,
      access: MANAGE,
      rateLimit: "write",
      idempotent: true,
      body: z.strictObject({ url, events, secret: ownSecret.optional(), description: description.optional() }),
      bodyExample: {
        url: "https://example.com/hooks/dynamo",
        events: ["commissioning.completed"],
        description: "Site owner's dashboard",
      },
      responses: {
        201: {
          description: "Created. The secret is not shown again.",
          schema: endpointAnswer.extend({ secret }),
          headers: ["Location"],
        },
      },
      problems: ["conflict"],
      async handle({ caller, body }) {
        const created = await createEndpoint(sql, secretsKey, {
          orgId: caller.orgId,
          url: body.url,
          events: [...new Set(body.events)],
          description: body.description,
          secret: body.secret,
        });
        if (created === undefined)
          throw new ProblemError(
            "conflict",
            `The organisation has ${MAX_ENDPOINTS} webhook endpoints, which is as many as it may have.`,
            { remedy: "Delete one that is not needed." },
          );
        return {
          status: 201,
          body: { ...shown(created.endpoint), secret: created.secret },
          headers: { location: `${BASE}/endpoints/${created.endpoint.id}` },
        };
      },
    }),
    defineRoute({
      method: "get",
      path: `${BASE}/endpoints`,
      operationId: "listWebhookEndpoints",
      summary: "List webhook endpoints",
      tag: TAG,
      access: READ,
      rateLimit: "read",
      query: z.strictObject(pageQuery),
      responses: {
        200: { description: "Oldest first", schema: z.object({ endpoints: z.array(endpointAnswer), ...pageAnswer }) },
      },
      async handle({ caller, query }) {
        const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, timeAndId);
        const { page, ...more } = pageOf(
          await listEndpoints(sql, caller.orgId, query.limit, after),
          query.limit,
          (row) => [row.position, row.id],
        );
        return { status: 200, body: { endpoints: page.map(shown), ...more } };
      },
    }),
    defineRoute({
      method: "get",
      path: `${BASE}/endpoints/{endpoint_id}`,
      operationId: "getWebhookEndpoint",
      summary: "Get a webhook endpoint",
      tag: TAG,
      access: READ,
      rateLimit: "read",
      params: endpointParams,
      responses: { 200: { description: "The endpoint", schema: endpointAnswer } },
      problems: ["not_found"],
      async handle({ caller, params }) {
        return { status: 200, body: shown(orNotFound(await findEndpoint(sql, caller.orgId, params.endpoint_id))) };
      },
    }),
    defineRoute({
      method: "patch",
      path: `${BASE}/endpoints/{endpoint_id}`,
      operationId: "changeWebhookEndpoint",
      summary: "Change a webhook endpoint",
      description: "Set `status` to `active` to use an endpoint again that was disabled.",
      tag: TAG,
      access: MANAGE,
      rateLimit: "write",
      params: endpointParams,
      body: z.strictObject({
        url: url.optional(),
        events: events.optional(),
        description: description.nullable().optional(),
        status: z.enum(["active", "disabled"]).optional(),
      }),
      bodyExample: { events: ["*"] },
      responses: { 200: { description: "The endpoint as it is now", schema: endpointAnswer } },
      problems: ["not_found"],
      async handle({ caller, params, body }) {
        const change = { ...body, events: body.events === undefined ? undefined : [...new Set(body.events)] };
        return {
          status: 200,
          body: shown(orNotFound(await changeEndpoint(sql, caller.orgId, params.endpoint_id, change))),
        };
      },
    }),
    defineRoute({
      method: "delete",
      path: `${BASE}/endpoints/{endpoint_id}`,
      operationId: "deleteWebhookEndpoint",
      summary: "Delete a webhook endpoint",
      tag: TAG,
      access: MANAGE,
      rateLimit: "write",
      params: endpointParams,
      responses: { 204: { description: "Deleted; what was not delivered yet is dropped" } },
      problems: ["not_found"],
      async handle({ caller, params }) {
        if (!(await deleteEndpoint(sql, caller.orgId, params.endpoint_id))) throw noSuchEndpoint();
        return { status: 204 };
      },
    }),
    defineRoute({
      method: "post",
      path: `${BASE}/endpoints/{endpoint_id}/rotate-secret`,
      operationId: "rotateWebhookSecret",
      summary: "Give a webhook endpoint a new secret",
      description: `For ${ROTATION_HOURS} hours every delivery carries a signature of the old secret as well.`,
      tag: TAG,
      access: MANAGE,
      rateLimit: "write",
      idempotent: true,
      params: endpointParams,
      responses: {
        200: {
          description: "The new secret. It is not shown again.",
          schema: z.object({ id: z.string(), secret, previous_secret_valid_until: isoTime() }),
        },
      },
      problems: ["not_found"],
      async handle({ caller, params }) {
        const rotated = orNotFound(await rotateSecret(sql, secretsKey, caller.orgId, params.endpoint_id));
        return {
          status: 200,
          body: {
            id: params.endpoint_id,
            secret: rotated.secret,
            previous_secret_valid_until: isoSeconds(rotated.previousUntil),
          },
        };
      },
    }),
  ];
}

const shown = ({ position: _, ...endpoint }: WebhookEndpoint) => ({
  ...endpoint,
  created_at: isoSeconds(endpoint.created_at),
});
