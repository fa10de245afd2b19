import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

const ENDPOINTS = "/api/v1/webhooks/endpoints";
const EXAMPLE = { url: "https://example.com/hooks/dynamo", events: ["commissioning.completed"] };

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

async function created(body: object = EXAMPLE) {
  const { key, orgId } = await world.organization();
  const answer = await world.ask("POST", ENDPOINTS, { as: key, body });
  expect(answer.status).toBe(201);
  return { key, orgId, answer, endpoint: answer.body, path: `${ENDPOINTS}/${answer.body.id}` };
}

test("an endpoint is created with a secret that is shown this once", async () => {
  const { key, endpoint, answer, path } = await created({ ...EXAMPLE, description: "Dashboard — Straße" });
  expect(endpoint).toEqual({
    id: expect.stringMatching(/^whe_[0-9a-z]{12}$/),
    url: EXAMPLE.url,
    events: EXAMPLE.events,
    description: "Dashboard — Straße",
    status: "active",
    disabled_reason: null,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
  });
  expect(answer.headers.get("location")).toBe(path);
  const { secret, ...shown } = endpoint;
  expect((await world.ask("GET", path, { as: key })).body).toEqual(shown);
  expect((await world.ask("GET", ENDPOINTS, { as: key })).body).toEqual({
    endpoints: [shown],
    next_cursor: null,
    has_more: false,
  });
  expect(
    JSON.stringify(await world.sql.query("select * from webhook_endpoints where id = $1", [endpoint.id])),
  ).not.toContain(secret);
});

test("a brought secret is taken when it can sign, and refused by name when not", async () => {
  const secret = `whsec_${randomBytes(24).toString("base64")}`;
  expect((await created({ ...EXAMPLE, secret })).endpoint.secret).toBe(secret);
  const { key } = await world.organization();
  const { status, body } = await world.ask("POST", ENDPOINTS, {
    as: key,
    body: { ...EXAMPLE, secret: "whsec_too-short" },
  });
  expect([status, body.errors[0].pointer]).toEqual([422, "/secret"]);
});

test.each([
  "http://example.com/",
  "https://127.0.0.1/",
  "https://[::1]/",
  "https://2130706433/",
  "https://169.254.169.254/latest",
  "https://user:pass@example.com/",
  "https://example.com:6379/",
  "javascript:alert(1)",
  "example.com",
  "",
])("[E10] %j cannot be an endpoint's URL", async (url) => {
  const { key } = await world.organization();
  const { status, body } = await world.ask("POST", ENDPOINTS, { as: key, body: { ...EXAMPLE, url } });
  expect([status, body.code, body.errors[0].pointer]).toEqual([422, "validation_failed", "/url"]);
  const existing = await created();
  expect((await world.ask("PATCH", existing.path, { as: existing.key, body: { url } })).status).toBe(422);
});

test("[E4] events are of the catalogue, at least one; unknown fields are refused by name", async () => {
  const { key } = await world.organization();
  const pointerOf = async (body: object) =>
    (await world.ask("POST", ENDPOINTS, { as: key, body })).body.errors[0].pointer;
  expect(await pointerOf({ ...EXAMPLE, events: ["commissioning.complete"] })).toBe("/events/0");
  expect(await pointerOf({ ...EXAMPLE, events: [] })).toBe("/events");
  expect(await pointerOf({ ...EXAMPLE, event: "x" })).toBe("/event");
  const answer = await world.ask("POST", ENDPOINTS, { as: key, body: { ...EXAMPLE, events: ["*", "*"] } });
  expect(answer.body.events).toEqual(["*"]);
});

test("changing an endpoint changes what is named, and making it active clears why it was disabled", async () => {
  const { key, path } = await created({ ...EXAMPLE, description: "old" });
  const disabled = await world.ask("PATCH", path, { as: key, body: { status: "disabled" } });
  expect(disabled.body).toMatchObject({
    status: "disabled",
    disabled_reason: "disabled by its owner",
    description: "old",
    events: EXAMPLE.events,
  });
  const active = await world.ask("PATCH", path, {
    as: key,
    body: { status: "active", events: ["*"], description: null, url: "https://example.com/new" },
  });
  expect(active.body).toMatchObject({
    status: "active",
    disabled_reason: null,
    description: null,
    events: ["*"],
    url: "https://example.com/new",
  });
});

test("a rotated secret is new, and the old one's end is told", async () => {
  const { key, endpoint, path } = await created();
  const { status, body } = await world.ask("POST", `${path}/rotate-secret`, { as: key });
  expect(status).toBe(200);
  expect(body.secret).not.toBe(endpoint.secret);
  expect(new Date(body.previous_secret_valid_until).getTime()).toBeGreaterThan(Date.now() + 23 * 3_600_000);
});

test("a test event waits for its delivery, which can be retried; a disabled endpoint takes neither", async () => {
  const { key, endpoint, path } = await created();
  const sent = await world.ask("POST", `${path}/test`, { as: key });
  expect(sent.status).toBe(202);
  const { body } = await world.ask("GET", `${path}/deliveries`, { as: key });
  expect(body.deliveries).toEqual([
    {
      id: sent.body.delivery_id,
      event_id: sent.body.event_id,
      event_type: "webhook.test",
      status: "pending",
      attempts: 0,
      last_attempt_at: null,
      response_status: null,
      error: null,
      next_attempt_at: expect.any(String),
      created_at: expect.any(String),
    },
  ]);
  await world.sql.query(
    "update webhook_deliveries set status = 'failed', attempts = 10, next_attempt_at = null, last_error = 'x' where id = $1",
    [sent.body.delivery_id],
  );
  const retried = await world.ask("POST", `/api/v1/webhooks/deliveries/${sent.body.delivery_id}/retry`, { as: key });
  expect([retried.status, retried.body.status, retried.body.attempts, retried.body.error]).toEqual([
    202,
    "pending",
    0,
    null,
  ]);
  await world.ask("PATCH", path, { as: key, body: { status: "disabled" } });
  expect((await world.ask("POST", `${path}/test`, { as: key })).status).toBe(409);
  expect(
    (await world.ask("POST", `/api/v1/webhooks/deliveries/${sent.body.delivery_id}/retry`, { as: key })).status,
  ).toBe(409);
  expect(endpoint.id).toBeDefined();
});

test("deliveries come in pages, newest first, and by status", async () => {
  const { key, path } = await created();
  const ids: string[] = [];
  for (let count = 0; count < 5; count++)
    ids.unshift((await world.ask("POST", `${path}/test`, { as: key })).body.delivery_id);
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await world.ask("GET", `${path}/deliveries?limit=2${query}`, { as: key });
    seen.push(...body.deliveries.map((delivery: { id: string }) => delivery.id));
    cursor = body.next_cursor;
  } while (cursor !== null);
  expect(seen).toEqual(ids);
  expect((await world.ask("GET", `${path}/deliveries?status=failed`, { as: key })).body.deliveries).toEqual([]);
});

test("endpoints come in pages, oldest first", async () => {
  const { key, endpoint } = await created();
  const second = (await world.ask("POST", ENDPOINTS, { as: key, body: EXAMPLE })).body;
  const first = await world.ask("GET", `${ENDPOINTS}?limit=1`, { as: key });
  expect([first.body.endpoints[0].id, first.body.has_more]).toEqual([endpoint.id, true]);
  const rest = await world.ask("GET", `${ENDPOINTS}?limit=1&cursor=${first.body.next_cursor}`, { as: key });
  expect([rest.body.endpoints[0].id, rest.body.has_more]).toEqual([second.id, false]);
});

test("a deleted endpoint is gone", async () => {
  const { key, path } = await created();
  expect((await world.ask("DELETE", path, { as: key })).status).toBe(204);
  for (const [method, target] of [
    ["GET", path],
    ["DELETE", path],
    ["PATCH", path],
    ["POST", `${path}/test`],
    ["GET", `${path}/deliveries`],
    ["POST", `${path}/rotate-secret`],
  ] as const)
    expect([
      method,
      target,
      (await world.ask(method, target, { as: key, ...(method === "PATCH" ? { body: {} } : {}) })).status,
    ]).toEqual([method, target, 404]);
});

test("[E3] other organisations' endpoints and deliveries are not found, and a scope is needed", async () => {
  const { key, path } = await created();
  const { body: sent } = await world.ask("POST", `${path}/test`, { as: key });
  const other = await world.organization();
  const retry = `/api/v1/webhooks/deliveries/${sent.delivery_id}/retry`;
  for (const [method, target] of [
    ["GET", path],
    ["DELETE", path],
    ["PATCH", path],
    ["POST", `${path}/test`],
    ["GET", `${path}/deliveries`],
    ["POST", `${path}/rotate-secret`],
    ["POST", retry],
  ] as const)
    expect([
      method,
      target,
      (
        await world.ask(method, target, {
          as: other.key,
          ...(method === "PATCH" ? { body: { status: "disabled" } } : {}),
        })
      ).status,
    ]).toEqual([method, target, 404]);
  expect((await world.ask("GET", path, { as: key })).body.status).toBe("active");

  const reader = await world.organization(["read:webhooks"]);
  expect((await world.ask("GET", ENDPOINTS, { as: reader.key })).status).toBe(200);
  expect((await world.ask("POST", ENDPOINTS, { as: reader.key, body: EXAMPLE })).body.code).toBe("missing_scope");
  const installer = await world.installer();
  expect((await world.ask("GET", ENDPOINTS, { as: installer.token })).status).toBe(403);
  expect((await world.ask("GET", ENDPOINTS)).status).toBe(401);
});

test("[E17] a repeated creation with its Idempotency-Key is one endpoint, with the secret again", async () => {
  const { key } = await world.organization();
  const ask = () =>
    world.ask("POST", ENDPOINTS, { as: key, body: EXAMPLE, headers: { "idempotency-key": "endpoint-1" } });
  const [first, second] = [await ask(), await ask()];
  expect(second.body).toEqual(first.body);
  expect((await world.ask("GET", ENDPOINTS, { as: key })).body.endpoints).toHaveLength(1);
});
