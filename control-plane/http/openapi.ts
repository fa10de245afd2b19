import type { z } from "zod";
import { type Components, documentedSchema, type JsonSchema, requestSchema, responseSchema } from "./json-schema.ts";
import { everyRoutesProblems } from "./every-routes-problems.ts";
import { HEADERS, headersOf, problemSchema } from "./openapi-components.ts";
import { PROBLEMS } from "./problems.ts";
import { type Route, SCOPES } from "./route.ts";

export interface WebhookDoc {
  description: string;
  /** Header → what it says. */
  headers: Record<string, string>;
  /** The schema of the whole body that is delivered. */
  schema: z.ZodType;
  example?: unknown;
}

export interface OpenApiInput {
  routes: readonly Route[];
  publicApiUrl: string;
  version: string;
  /** Event type → what is delivered. */
  webhooks: Record<string, WebhookDoc>;
}

/** OpenAPI 3.1 of the routes, made from the very schemas that validate. Throws when two routes share an operationId. */
export function buildOpenApi({ routes, publicApiUrl, version, webhooks }: OpenApiInput): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  const operationIds = new Set<string>();
  const components: Components = new Map();
  for (const route of routes) {
    if (operationIds.has(route.operationId)) throw new Error(`two routes are called ${route.operationId}`);
    operationIds.add(route.operationId);
    (paths[route.path] ??= {})[route.method] = operation(route, components);
  }
  const webhookPaths = Object.fromEntries(
    Object.entries(webhooks).map(([type, doc]) => [type, { post: webhookOperation(type, doc) }]),
  );
  return {
    openapi: "3.1.0",
    info: {
      title: "Dynamo CSMS",
      version,
      description:
        "Installers commission charge points and hand them over; charge point operators run them. Refusals are problem documents (RFC 9457) with a stable `code`, the `request_id` and a `remedy`.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: publicApiUrl }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    webhooks: webhookPaths,
    components: {
      schemas: {
        Problem: problemSchema(),
        ...Object.fromEntries([...components].map(([name, { schema }]) => [name, schema])),
      },
      headers: HEADERS,
      securitySchemes: {
        accessToken: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Access token of POST /api/v1/installer/login.",
        },
        apiKey: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "dyn_live_…",
          description: `API key of an organisation. Scopes: ${SCOPES.join(", ")}.`,
        },
        apiKeyHeader: {
          type: "apiKey",
          in: "header",
          name: "X-API-Key",
          description: "The same API key in a header of its own.",
        },
      },
    },
  };
}

function operation(route: Route, components: Components): JsonSchema {
  const description = [
    route.description,
    route.access.kind === "organization" ? `Needs the scope \`${route.access.scope}\`.` : undefined,
  ];
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...(description.some(Boolean) ? { description: description.filter(Boolean).join("\n\n") } : {}),
    tags: [route.tag],
    security: security(route),
    parameters: [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)],
    ...(route.body === undefined ? {} : { requestBody: requestBody(route) }),
    responses: { ...successes(route, components), ...refusals(route) },
  };
}

/** The scope stands where OpenAPI 3.1 has roles: a client, or a sweep over all operations, reads there what a key needs. */
function security({ access }: Route): unknown[] {
  if (access.kind === "public") return [];
  return access.kind === "installer"
    ? [{ accessToken: [] }]
    : [{ apiKey: [access.scope] }, { apiKeyHeader: [access.scope] }];
}

function pathParameters(route: Route): unknown[] {
  const schema =
    route.params === undefined ? {} : (requestSchema(route.params)["properties"] as Record<string, JsonSchema>);
  return [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: schema[name as string] ?? { type: "string" },
  }));
}

function queryParameters(route: Route): unknown[] {
  if (route.query === undefined) return [];
  const { properties = {}, required = [] } = requestSchema(route.query) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

function headerParameters(route: Route): unknown[] {
  if (!route.idempotent) return [];
  const description =
    "Repeating the request with the same key gives the first answer again, for 24 hours, and does nothing twice.";
  return [
    {
      name: "Idempotency-Key",
      in: "header",
      required: false,
      description,
      schema: { type: "string", minLength: 1, maxLength: 255 },
    },
  ];
}

function requestBody(route: Route): JsonSchema {
  const schema = requestSchema(route.body as z.ZodType);
  const required = ((schema["required"] as string[] | undefined) ?? []).length > 0;
  return {
    required,
    content: {
      "application/json": { schema, ...(route.bodyExample === undefined ? {} : { example: route.bodyExample }) },
    },
  };
}

function successes(route: Route, components: Components): JsonSchema {
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, { description, schema, contentType, example, headers }]) => {
      const json =
        schema === undefined
          ? undefined
          : {
              schema: documentedSchema(schema, components),
              ...(example === undefined ? {} : { example }),
            };
      const content = {
        ...(json === undefined ? {} : { "application/json": json }),
        ...(contentType === undefined ? {} : { [contentType]: {} }),
      };
      return [
        status,
        {
          description,
          headers: headersOf(Number(status), headers, route.idempotent === true),
          ...(Object.keys(content).length > 0 ? { content } : {}),
        },
      ];
    }),
  );
}

function refusals(route: Route): JsonSchema {
  const names = [...new Set([...everyRoutesProblems(route), ...(route.problems ?? [])])];
  const byStatus = Map.groupBy(names, (name) => PROBLEMS[name].status);
  return Object.fromEntries(
    [...byStatus]
      // A route may describe an answer of this status itself, such as a page.
      .filter(([status]) => !Object.hasOwn(route.responses, status))
      .map(([status, codes]) => [
        String(status),
        {
          description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join("; "),
          headers: headersOf(status, undefined, route.idempotent === true),
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      ]),
  );
}

function webhookOperation(type: string, { description, headers, schema, example }: WebhookDoc): JsonSchema {
  return {
    operationId: `on${type
      .split(/[._]/)
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
      .join("")}`,
    summary: description,
    parameters: Object.entries(headers).map(([name, meaning]) => ({
      name,
      in: "header",
      required: true,
      description: meaning,
      schema: { type: "string" },
    })),
    requestBody: {
      content: {
        "application/json": { schema: responseSchema(schema), ...(example === undefined ? {} : { example }) },
      },
    },
    responses: {
      "2XX": { description: "Received. Anything else, or no answer in time, is tried again." },
      410: { description: "Disables the endpoint." },
    },
  };
}
