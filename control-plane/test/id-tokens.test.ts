import { authorizationCache } from "@dynamo-csms/proto/redis-keys";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cacheTokenStatus } from "../authorization/authorization-cache.ts";
import { idTagInfo, idTokenInfo, readTokenStatus } from "../authorization/token-status.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
let key: string;
let orgId: string;
beforeAll(async () => {
  world = await startApiWorld();
  ({ key, orgId } = await world.organization());
});
afterAll(() => world.close());

const create = (body: object, as = key) => world.ask("POST", "/api/v1/id-tokens", { as, body });

test("a token is created, shown as it is spelled, changed and deleted; upper and lower case are the same", async () => {
  const created = await create({ id_token: " 04A2B3C4 " });
  expect(created.status).toBe(201);
  expect(created.headers.get("location")).toBe(`/api/v1/id-tokens/${created.body.token_id}`);
  expect(created.body).toEqual({
    token_id: expect.stringMatching(/^tok_[0-9a-z]{16}$/),
    id_token: "04A2B3C4",
    type: null,
    status: "Accepted",
    expires_at: null,
    group_id_token: null,
    max_active_transactions: 1,
    note: null,
    created_at: expect.any(String),
    changed_at: expect.any(String),
  });
  const again = await create({ id_token: "04a2B3c4" });
  expect(again).toMatchObject({ status: 409, body: { code: "conflict", token_id: created.body.token_id } });

  const path = `/api/v1/id-tokens/${created.body.token_id}`;
  const change = {
    status: "Blocked",
    group_id_token: "Fleet-7",
    max_active_transactions: null,
    expires_at: "2099-01-01T00:00:00Z",
  };
  const changed = await world.ask("PATCH", path, { as: key, body: change });
  expect(changed.body).toMatchObject({ ...change, id_token: "04A2B3C4", note: null });
  // What is left out stays, null takes away.
  const less = await world.ask("PATCH", path, { as: key, body: { expires_at: null, note: "Van 12" } });
  expect(less.body).toMatchObject({ status: "Blocked", group_id_token: "Fleet-7", expires_at: null, note: "Van 12" });
  expect((await world.ask("GET", path, { as: key })).body).toEqual(less.body);
  expect((await world.ask("DELETE", path, { as: key })).status).toBe(204);
  for (const method of ["GET", "PATCH", "DELETE"])
    expect((await world.ask(method, path, { as: key, body: method === "PATCH" ? {} : undefined })).status).toBe(404);
});

test.each([
  [{}, "/id_token", "missing"],
  [{ id_token: " " }, "/id_token", "wrong_format"],
  [{ id_token: "x".repeat(256) }, "/id_token", "too_long"],
  [{ id_token: "x", status: "ConcurrentTx" }, "/status", "not_allowed"],
  [{ id_token: "x", max_active_transactions: 0 }, "/max_active_transactions", "out_of_range"],
  [{ id_token: "x", type: "NoAuthorization" }, "/type", "not_allowed"],
  [{ id_token: "x", expires_at: "tomorrow" }, "/expires_at", "wrong_format"],
  [{ id_token: "x", idTag: "y" }, "/idTag", "unknown_field"],
])("%j is refused at %s", async (body, pointer, code) => {
  const answer = await create(body);
  expect(answer.status).toBe(422);
  expect(answer.body.errors).toEqual([expect.objectContaining({ pointer, code })]);
});

test("the list is paged, filtered, and of one's own organisation alone", async () => {
  const mine = await world.organization();
  const other = await world.organization();
  for (const [id_token, more] of [
    ["a-1", { group_id_token: "fleet" }],
    ["a-2", { status: "Blocked" }],
    ["b-1", { note: "Spare A-card" }],
  ] as const)
    await create({ id_token, ...more }, mine.key);
  const foreign = await create({ id_token: "a-1" }, other.key);
  expect(foreign.status).toBe(201);
  const list = async (query: string) =>
    (await world.ask("GET", `/api/v1/id-tokens${query}`, { as: mine.key })).body as {
      id_tokens: { id_token: string }[];
      next_cursor: string | null;
      has_more: boolean;
    };
  const texts = async (query: string) => (await list(query)).id_tokens.map(({ id_token }) => id_token);
  expect(await texts("")).toEqual(["b-1", "a-2", "a-1"]);
  const page = await list("?limit=2");
  expect(page).toMatchObject({ id_tokens: [{ id_token: "b-1" }, { id_token: "a-2" }], has_more: true });
  expect(await texts(`?limit=2&cursor=${page.next_cursor}`)).toEqual(["a-1"]);
  expect(await texts("?q=A-")).toEqual(["b-1", "a-2", "a-1"]);
  expect(await texts("?status=Blocked")).toEqual(["a-2"]);
  expect(await texts("?group_id_token=FLEET")).toEqual(["a-1"]);
  expect(await texts("?id_token=A-2")).toEqual(["a-2"]);
  const foreignPath = `/api/v1/id-tokens/${foreign.body.token_id}`;
  for (const method of ["GET", "PATCH", "DELETE"])
    expect(
      (await world.ask(method, foreignPath, { as: mine.key, body: method === "PATCH" ? { note: "x" } : undefined }))
        .body.code,
    ).toBe("not_found");
});

test("an import adds and replaces, all or nothing, and says what became of each", async () => {
  const { key: as } = await world.organization();
  const bring = (id_tokens: object[], headers = {}) =>
    world.ask("POST", "/api/v1/id-tokens/import", { as, body: { id_tokens }, headers });
  await create({ id_token: "old", note: "as it was", max_active_transactions: 5 }, as);
  const answer = await bring([{ id_token: "New" }, { id_token: "OLD", status: "Blocked" }]);
  expect(answer).toMatchObject({
    status: 200,
    body: {
      created: 1,
      replaced: 1,
      results: [
        { id_token: "New", outcome: "created" },
        { id_token: "OLD", outcome: "replaced" },
      ],
    },
  });
  const [old] = (await world.ask("GET", "/api/v1/id-tokens?id_token=old", { as })).body.id_tokens;
  expect(old).toMatchObject({ id_token: "OLD", status: "Blocked", note: null, max_active_transactions: 1 });

  const repeated = await bring([{ id_token: "x" }, { id_token: "y" }, { id_token: "X" }]);
  expect(repeated.body.errors).toEqual([
    { pointer: "/id_tokens/2/id_token", code: "repeated", detail: "the same token as /id_tokens/0" },
  ]);
  expect((await bring([{ id_token: "x" }, { id_token: "" }])).body.errors[0].pointer).toBe("/id_tokens/1/id_token");
  expect((await bring(Array.from({ length: 2_001 }, (_, n) => ({ id_token: `t${n}` })))).status).toBe(422);
  expect((await world.ask("GET", "/api/v1/id-tokens", { as })).body.id_tokens).toHaveLength(2);

  const once = { "idempotency-key": "import-1" };
  const first = await bring([{ id_token: "z" }], once);
  expect((await bring([{ id_token: "z" }], once)).body).toEqual(first.body);
});

test("the gateways' cache forgets a changed token, and takes nothing older for it afterwards", async () => {
  const created = await create({ id_token: "cached" });
  const path = `/api/v1/id-tokens/${created.body.token_id}`;
  const cache = authorizationCache(orgId);
  const cached = async () => JSON.parse((await world.redis.hget(cache, "cached")) ?? "null") as object | null;
  const before = await readTokenStatus(world.sql, orgId, "cached");
  await cacheTokenStatus(world.redis, orgId, "CACHED", before, 60);
  expect(await cached()).toMatchObject({
    status: "Accepted",
    revision: before.revision,
    validUntilMs: expect.any(Number),
  });

  await world.ask("PATCH", path, { as: key, body: { status: "Blocked" } });
  expect(await cached()).toEqual({ revision: expect.any(Number) });
  // A decision that had read the token before the change, and comes late.
  await cacheTokenStatus(world.redis, orgId, "cached", before, 60);
  expect(await cached()).toEqual({ revision: expect.any(Number) });
  await cacheTokenStatus(world.redis, orgId, "cached", await readTokenStatus(world.sql, orgId, "cached"), 60);
  expect(await cached()).toMatchObject({ status: "Blocked" });

  await world.ask("POST", "/api/v1/id-tokens/import", { as: key, body: { id_tokens: [{ id_token: "Cached" }] } });
  expect(await cached()).toEqual({ revision: expect.any(Number) });
  await cacheTokenStatus(world.redis, orgId, "cached", await readTokenStatus(world.sql, orgId, "cached"), 60);
  await world.ask("DELETE", path, { as: key });
  expect(await cached()).toEqual({ revision: expect.any(Number) });
  await cacheTokenStatus(world.redis, orgId, "cached", await readTokenStatus(world.sql, orgId, "cached"), 60);
  expect(await cached()).toBeNull();
});

test("stations are told a group as it is spelled, by us and by gateways that answer alone; tokens are found in any case", async () => {
  await create({ id_token: "CardA", group_id_token: "G1" });
  const status = await readTokenStatus(world.sql, orgId, "cARDa");
  expect(idTagInfo(status)).toEqual({ status: "Accepted", parentIdTag: "G1" });
  expect(idTokenInfo(status)).toMatchObject({ groupIdToken: { idToken: "G1" } });
  await cacheTokenStatus(world.redis, orgId, "CARDA", status, 60);
  expect(JSON.parse((await world.redis.hget(authorizationCache(orgId), "carda"))!)).toMatchObject({
    parentIdTag: "G1",
  });
});

test("what the previous release writes counts: a token without a spelling, a group that was changed without its own", async () => {
  const { key: as, orgId: org } = await world.organization();
  await world.sql.query(
    "insert into id_tokens (org_id, token, status, group_token) values ($1, 'old', 'Accepted', 'g')",
    [org],
  );
  await create({ id_token: "New", group_id_token: "G1" }, as);
  await world.sql.query("update id_tokens set group_token = 'g2' where org_id = $1 and token = 'new'", [org]);
  const list = (await world.ask("GET", "/api/v1/id-tokens?group_id_token=G2", { as })).body.id_tokens;
  expect(list).toMatchObject([{ id_token: "New", group_id_token: "g2" }]);
  expect(await readTokenStatus(world.sql, org, "OLD")).toMatchObject({ known: true, groupToken: "g" });
});
