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
    post: { requestBody: { content: Record<string, { schema: object; example: unknown }> } };
  }>(body.webhooks)) {
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
