import { readFileSync } from "node:fs";
import { readQuickstart, requestOf } from "@dynamo-csms/local/e2e/quickstart-document";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requestSchema, responseSchema } from "../http/json-schema.ts";
import { PROBLEMS } from "../http/problems.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

const ajv = (addFormatsModule as unknown as typeof addFormatsModule.default)(
  new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }),
);

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

test("the document holds every route, and nothing else", async () => {
  const { body } = await world.ask("GET", "/openapi.json");
  const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(documented.toSorted()).toEqual(world.api.routes.map(({ method, path }) => `${method} ${path}`).toSorted());
  expect(body.openapi).toBe("3.1.0");
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as object & {
    version: string;
  };
  expect(body.info.version).toBe(version);
});

test("every schema compiles, and every example satisfies its own", () => {
  for (const route of world.api.routes) {
    for (const schema of [route.params, route.query, route.body])
      if (schema !== undefined) ajv.compile(requestSchema(schema));
    if (route.body !== undefined && route.bodyExample !== undefined)
      expect({
        route: route.operationId,
        valid: ajv.validate(requestSchema(route.body), route.bodyExample),
        errors: ajv.errors,
      }).toEqual({ route: route.operationId, valid: true, errors: null });
    for (const { schema, example } of Object.values(route.responses)) {
      if (schema !== undefined) ajv.compile(responseSchema(schema));
      if (schema !== undefined && example !== undefined)
        expect({
          route: route.operationId,
          valid: ajv.validate(responseSchema(schema), example),
          errors: ajv.errors,
        }).toEqual({ route: route.operationId, valid: true, errors: null });
    }
  }
});

test("every webhook event is described, with an example that satisfies its schema", async () => {
  const { body } = await world.ask("GET", "/openapi.json");
  const names = [
    "commissioning.started",
    "commissioning.completed",
    "commissioning.failed",
    "handover.completed",
    "charge_point.connected",
    "charge_point.disconnected",
    "charge_point.status_changed",
  ];
  expect(Object.keys(body.webhooks)).toEqual(expect.arrayContaining(names));
  for (const [name, { post }] of Object.entries<{
    post: {
      parameters: { name: string; in: string }[];
      requestBody: { content: Record<string, { schema: object; example: unknown }> };
    };
  }>(body.webhooks)) {
    expect(post.parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).toEqual([
      "header webhook-id",
      "header webhook-timestamp",
      "header webhook-signature",
      "header X-Dynamo-Signature",
    ]);
    const media = post.requestBody.content["application/json"];
    expect({ name, valid: ajv.validate(media?.schema as object, media?.example), errors: ajv.errors }).toEqual({
      name,
      valid: true,
      errors: null,
    });
  }
});

test("the reference page loads only what this server has", async () => {
  const page = await world.ask("GET", "/docs");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source as string);
  expect(sources.length).toBeGreaterThan(2);
  for (const source of sources) {
    expect(source).toMatch(/^\//);
    expect((await world.ask("GET", source)).status).toBe(200);
  }
  expect((await world.ask("GET", "/docs/assets/package.json")).status).toBe(404);
  expect((await world.ask("GET", "/docs/assets/..%2fpackage.json")).status).toBe(404);
});

test("every problem's type leads to a page", async () => {
  for (const code of Object.keys(PROBLEMS)) expect((await world.ask("GET", `/docs/problems/${code}`)).status).toBe(200);
  expect((await world.ask("GET", "/docs/problems/nonsense")).status).toBe(404);
});

interface Documented {
  operationId: string;
  requestBody?: { content: { "application/json": { example?: unknown } } };
  responses: Record<string, { headers?: object; content?: Record<string, { schema?: object; example?: unknown }> }>;
}

async function operations(): Promise<[string, Documented][]> {
  const { body } = await world.ask("GET", "/openapi.json");
  return Object.entries(body.paths as Record<string, Record<string, Documented>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Documented] => [`${method} ${path}`, operation]),
  );
}

test("the examples are the quickstart's own requests and answers", async () => {
  const documented = await operations();
  const quickstart = readQuickstart(
    readFileSync(new URL("../../docs/quickstart-installer.md", import.meta.url), "utf8"),
  );
  expect(quickstart).toHaveLength(6);
  for (const { curl, answer } of quickstart) {
    const { method, path, body } = requestOf(curl);
    const [name, operation] =
      documented.find(([pattern]) =>
        new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, "[a-z]+_[0-9a-z]+")}$`).test(`${method.toLowerCase()} ${path}`),
      ) ?? [];
    expect({ path, name }).toEqual({ path, name: expect.any(String) });
    expect(operation?.requestBody?.content["application/json"].example).toEqual(body);
    const success = Object.entries(operation?.responses ?? {}).filter(([status]) => status.startsWith("2"));
    expect(success.length).toBeGreaterThan(0);
    // Lists also carry their paging.
    for (const [status, response] of success)
      expect({ path, status, example: response.content?.["application/json"]?.example }).toMatchObject({
        path,
        status,
        example: answer,
      });
  }
});

test("operations are named in one spelling, and every reference leads somewhere", async () => {
  const { body } = await world.ask("GET", "/openapi.json");
  const ids = [
    ...(await operations()),
    ...Object.values<{ post: Documented }>(body.webhooks).map(({ post }) => ["", post] as const),
  ];
  for (const [, { operationId }] of ids) expect(operationId).toMatch(/^[a-z][a-zA-Z0-9]*$/);
  expect(Object.keys(body.components.schemas)).toEqual(
    expect.arrayContaining(["Problem", "ChargePoint", "ChargePointDetail", "Project", "Commissioning", "Command"]),
  );
  const references = [...JSON.stringify(body).matchAll(/"\$ref":"#([^"]+)"/g)].map(([, pointer]) => pointer as string);
  expect(references.length).toBeGreaterThan(100);
  for (const pointer of new Set(references)) {
    const found = pointer
      .slice(1)
      .split("/")
      .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], body);
    expect({ pointer, found }).toEqual({ pointer, found: expect.any(Object) });
  }
});

test("times are described by their format alone", async () => {
  const { body } = await world.ask("GET", "/openapi.json");
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("format" in value && value.format === "date-time") expect(value).not.toHaveProperty("pattern");
    for (const member of Object.values(value)) walk(member);
  };
  walk(body);
});

test("the headers that answers carry are those that are described", async () => {
  const documented = new Map(await operations());
  const headersOf = (operation: string, status: number) =>
    Object.keys(documented.get(operation)?.responses[String(status)]?.headers ?? {}).map((name) => name.toLowerCase());
  const { key } = await world.organization();
  const create = () =>
    world.ask("POST", "/api/v1/projects", {
      as: key,
      body: { name: "Headers", site_address: "Street 1", charge_points_expected: 1 },
      headers: { "idempotency-key": "headers" },
    });
  await create();
  const replayed = await create();
  const described = headersOf("post /api/v1/projects", 201);
  expect(described.toSorted()).toEqual([
    "idempotent-replayed",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "x-request-id",
  ]);
  for (const name of described)
    expect({ name, value: replayed.headers.get(name) }).toEqual({ name, value: expect.any(String) });
  for (const [name, { responses }] of documented)
    for (const [status, { headers }] of Object.entries(responses))
      expect({ name, status, headers }).toMatchObject({ headers: { "X-Request-Id": {}, RateLimit: {} } });
  expect(headersOf("post /api/v1/installer/login", 429)).toContain("retry-after");
  expect(headersOf("get /api/v1/installer/commissioning/{charge_point_id}", 200)).toContain("etag");
});
