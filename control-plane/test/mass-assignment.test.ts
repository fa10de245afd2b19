import type { z } from "zod";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requestSchema } from "../http/json-schema.ts";
import type { Route } from "../http/route.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld({ RATE_LIMIT_WRITE: "100000/60", RATE_LIMIT_COMMAND: "100000/60" });
});
afterAll(() => world.close());

/** Hundreds of requests, one route after the other. */
const TEST_MS = 240_000;

type Schema = Record<string, unknown>;
const withBody = () => world.api.routes.filter(({ body }) => body !== undefined);

/** What somebody would add who wants to be more, or to have more. */
const WANTED = {
  id: "proj_000000000000",
  org_id: "org_000000000000",
  tenant_id: "org_000000000000",
  tenantId: "org_000000000000",
  owner_id: "ins_000000000000",
  ownerId: "ins_000000000000",
  installer_id: "ins_000000000000",
  role: "admin",
  is_admin: true,
  status: "active",
  state: "accepted",
  scopes: ["write:api_keys"],
  verified_at: "2026-01-01T00:00:00Z",
  handed_over_at: "2026-01-01T00:00:00Z",
  password_hash: "x",
  created_at: "2026-01-01T00:00:00Z",
  constructor: { prototype: { admin: true } },
};

/** Objects whose names are not ours to list: OCPP payloads, which the schema of their action checks, and settings by name. */
const OPEN = new Set([
  ...["ocpp16SendCommand /payload", "ocpp201SendCommand /payload", "ocpp21SendCommand /payload"],
  ...["sendOperatorCommand /parameters", "sendBulkCommand /parameters"],
]);

/** Every place of a body whose schema is an object that takes any name. */
function openPlaces(schema: Schema, place: string): string[] {
  const isObject = [schema["type"]].flat().includes("object") || schema["properties"] !== undefined;
  const properties = (schema["properties"] ?? {}) as Record<string, Schema>;
  const branches = ["anyOf", "oneOf", "allOf"].flatMap((name) => (schema[name] ?? []) as Schema[]);
  const items = schema["items"] === undefined ? [] : [schema["items"] as Schema];
  return [
    ...(isObject && schema["additionalProperties"] !== false ? [place] : []),
    ...Object.entries(properties).flatMap(([name, field]) => openPlaces(field, `${place}/${name}`)),
    ...[...branches, ...items].flatMap((one) => openPlaces(one, place)),
  ];
}

test("[E4] no body takes names that it does not list, at any level", () => {
  const open = withBody().flatMap(({ operationId, body }) =>
    [...new Set(openPlaces(requestSchema(body as z.ZodType), ""))].map((place) => `${operationId} ${place}`.trim()),
  );
  expect(open.filter((place) => !OPEN.has(place))).toEqual([]);
});

test(
  "[E4] a field that would make more of the caller or of the thing is refused by its name, by every route",
  async () => {
    const { key } = await world.organization();
    const { token } = await world.installer();
    const before = await world.sql.query("select count(*) from projects");
    const wrong: string[] = [];
    const attack = async (route: Route, name: string, value: unknown) => {
      const { status, body } = await world.ask(route.method.toUpperCase(), route.path.replaceAll(/\{\w+\}/g, "x"), {
        as: { public: undefined, installer: token, organization: key }[route.access.kind],
        body: { ...(route.bodyExample as object), [name]: value },
      });
      const pointers = ((body.errors ?? []) as { pointer: string; code: string }[])
        .filter(({ code }) => code === "unknown_field")
        .map(({ pointer }) => pointer);
      if (status !== 422 || !pointers.includes(`/${name}`))
        wrong.push(`${route.operationId} ${name}: ${status} ${JSON.stringify(body).slice(0, 200)}`);
    };
    for (const route of withBody()) {
      const known = Object.keys((requestSchema(route.body as z.ZodType)["properties"] ?? {}) as object);
      await Promise.all(
        Object.entries(WANTED)
          .filter(([name]) => !known.includes(name))
          .map(([name, value]) => attack(route, name, value)),
      );
    }
    expect(wrong).toEqual([]);
    expect(await world.sql.query("select count(*) from projects")).toEqual(before);
  },
  TEST_MS,
);

test(
  "[E16] nothing but JSON is taken: there are no uploads, and no route reads a form, a picture or an archive",
  async () => {
    const { key } = await world.organization();
    const { token } = await world.installer();
    const paths = world.api.openApi["paths"] as Record<string, Record<string, { requestBody?: { content: object } }>>;
    const types = Object.values(paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ requestBody }) => Object.keys(requestBody?.content ?? {})),
    );
    expect([...new Set(types)]).toEqual(["application/json"]);
    const files = {
      "multipart/form-data; boundary=x":
        '--x\r\nContent-Disposition: form-data; name="f"; filename="../../x.svg"\r\n\r\n<svg/>\r\n--x--',
      "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
      "image/png": "\u0089PNG",
      "application/zip": "PK\u0003\u0004",
      "application/octet-stream": "x",
      "application/xml": "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>",
    };
    for (const route of world.api.routes.filter(({ method }) => method !== "get"))
      for (const [type, body] of Object.entries(files)) {
        const { status } = await world.ask(route.method.toUpperCase(), route.path.replaceAll(/\{\w+\}/g, "x"), {
          as: { public: undefined, installer: token, organization: key }[route.access.kind],
          body,
          headers: { "content-type": type },
        });
        expect({ route: route.operationId, type, status }).toEqual({ route: route.operationId, type, status: 415 });
      }
  },
  TEST_MS,
);

test("[E14] nothing is handed out as a table that a spreadsheet would run: answers are JSON, PDF, pages and event streams", () => {
  // Beside the files of the reference page, which are ours.
  const answering = world.api.routes.filter(({ operationId }) => operationId !== "getDocsAsset");
  const types = answering.flatMap(({ responses }) =>
    Object.values(responses).flatMap(({ contentType }) => contentType ?? []),
  );
  expect([...new Set(types)].sort()).toEqual(["application/pdf", "text/event-stream", "text/html"]);
});
