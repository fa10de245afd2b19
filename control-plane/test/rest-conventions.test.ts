import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld({ CORS_ORIGINS: "https://portal.example.org" });
});
afterAll(() => world.close());

const SIGNUP = "/api/v1/installer/signup";
const json = { "content-type": "application/json" };

describe("a body that is wrong", () => {
  test.each([
    ["not JSON", "{", json, 400, "bad_json"],
    [
      "not UTF-8 in its charset",
      "{}",
      { "content-type": "application/json; charset=latin1" },
      415,
      "unsupported_media_type",
    ],
    ["a form", "a=b", { "content-type": "application/x-www-form-urlencoded" }, 415, "unsupported_media_type"],
    ["compressed", "{}", { ...json, "content-encoding": "gzip" }, 415, "unsupported_media_type"],
    ["two megabytes", `{"email":"${"x".repeat(2_000_000)}"}`, json, 413, "body_too_large"],
    ["nested a thousand levels deep", `${'{"a":'.repeat(1_000)}1${"}".repeat(1_000)}`, json, 400, "bad_json"],
    ["an array", "[]", json, 422, "validation_failed"],
    ["null", "null", json, 422, "validation_failed"],
    ["a NUL character", JSON.stringify({ ...SIGN_UP, company: "a\u0000b" }), json, 422, "validation_failed"],
    ["half a character", '{"company":"\\ud800"}', json, 422, "validation_failed"],
    ["__proto__", '{"__proto__":{"admin":true}}', json, 422, "validation_failed"],
  ])("(%s) is refused as a problem", async (_, body, headers, status, code) => {
    const answer = await world.ask("POST", SIGNUP, { body, headers });
    expect({ status: answer.status, ...answer.body }).toMatchObject({
      status,
      code,
      type: `https://api.dynamo-csms.com/docs/problems/${code}`,
    });
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body.request_id).toBe(answer.headers.get("x-request-id"));
  });

  test("names every mistake by its place, and what was probably meant", async () => {
    const { email: _, ...rest } = SIGN_UP;
    const { body } = await world.ask("POST", SIGNUP, { body: { ...rest, fullName: "x", phone: "07700", company: 7 } });
    expect(body.errors).toEqual(
      expect.arrayContaining([
        { pointer: "/email", code: "missing", detail: "`email` is required" },
        { pointer: "/fullName", code: "unknown_field", detail: expect.stringContaining("did you mean `full_name`?") },
        { pointer: "/phone", code: "wrong_format", detail: expect.stringContaining("E.164") },
        { pointer: "/company", code: "wrong_type", detail: "must be a string" },
      ]),
    );
  });

  test("is told one mistake per field", async () => {
    const { body } = await world.ask("POST", SIGNUP, {
      body: { ...SIGN_UP, full_name: "", company: "   ", phone: "x", email: "björn@acme.example" },
    });
    expect(body.errors).toEqual([
      { pointer: "/full_name", code: "too_short", detail: "may not be empty" },
      { pointer: "/phone", code: "wrong_format", detail: expect.stringContaining("E.164") },
      { pointer: "/company", code: "wrong_format", detail: expect.stringContaining("one line of text") },
      {
        pointer: "/email",
        code: "wrong_format",
        detail: expect.stringContaining("ASCII characters alone before the @"),
      },
    ]);
  });

  test.each([
    ["0000-01-01T00:00:00Z", "out_of_range", "0001"],
    ["10000-01-01T00:00:00Z", "wrong_format", "ISO 8601"],
    ["2026-02-30T00:00:00Z", "wrong_format", "ISO 8601"],
    ["2026-05-01T10:23:60Z", "wrong_format", "ISO 8601"],
    ["2026-05-01T10:23:00+02:00", "wrong_format", "UTC"],
    ["0001-01-01T00:00:00Z", "out_of_range", "past"],
  ])("cannot hold the time %s", async (expires_at, code, detail) => {
    const { key } = await world.organization();
    const answer = await world.ask("POST", "/api/v1/org/api-keys", {
      as: key,
      body: { name: "x", scopes: ["read:projects"], expires_at },
    });
    expect(answer).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/expires_at", code, detail: expect.stringContaining(detail) }] },
    });
  });

  test("[E9] that never ends is given up", async () => {
    const { port } = new URL(world.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(
      `POST ${SIGNUP} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    );
    const answer = await new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (chunk) => (text += String(chunk))).on("close", () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain('"code":"request_timeout"');
  });
});

describe("an address", () => {
  test.each([
    ["GET", "/api/v1/nothing", 404, "not_found"],
    ["GET", "/%zz", 404, "not_found"],
    ["PUT", "/api/v1/projects", 405, "method_not_allowed"],
    ["GET", "/docs?x=1", 400, "unknown_query_parameter"],
  ])("%s %s is a problem of its own", async (method, path, status, code) => {
    expect(await world.ask(method, path)).toMatchObject({ status, body: { code } });
  });

  test("says which methods it has", async () => {
    expect((await world.ask("PUT", "/api/v1/projects")).headers.get("allow")).toBe("POST, GET, HEAD");
  });

  test("may end in a slash, and answers HEAD like GET without a body", async () => {
    expect((await world.ask("GET", "/.well-known/jwks.json/")).status).toBe(200);
    const head = await world.ask("HEAD", "/openapi.json");
    expect([head.status, head.body]).toEqual([200, ""]);
    expect(Number(head.headers.get("content-length"))).toBeGreaterThan(1_000);
  });

  test.each([
    ["limit=1000000000", "?limit", 422],
    ["limit=x", "?limit", 422],
    ["limit=1&limit=2", "?limit", 422],
    ["limit=", "?limit", 422],
    ["cursor=nonsense", "?cursor", 422],
    [`cursor=${Buffer.from('["x; drop table projects","y"]').toString("base64url")}`, "?cursor", 422],
    [`cursor=${Buffer.from('["0000-01-01 00:00:00+00","y"]').toString("base64url")}`, "?cursor", 422],
    [`cursor=${Buffer.from('["2026-02-30 00:00:00+00","y"]').toString("base64url")}`, "?cursor", 422],
    [`cursor=${Buffer.from('["2026-02-28 24:00:00+00","y"]').toString("base64url")}`, "?cursor", 422],
    ["limt=5", "?limt", 400],
    ["__proto__=5", "?__proto__", 400],
  ])("with the query %s is refused", async (query, pointer, status) => {
    const { key } = await world.organization();
    const answer = await world.ask("GET", `/api/v1/projects?${query}`, { as: key });
    expect({ status: answer.status, pointer: answer.body.errors[0].pointer }).toEqual({ status, pointer });
  });
});

test.each([
  ["0000-01-01T00:00:00Z", "must lie in the years 0001 to 9999"],
  ["2026-05-01", "ISO 8601"],
  ["-0044-03-15T12:00:00Z", "ISO 8601"],
])("a query with the time %s is refused in words", async (time, detail) => {
  const { key } = await world.organization();
  for (const name of ["from", "to"])
    expect(
      await world.ask("GET", `/api/v1/charge-points/cp_000000000000/messages?${name}=${time}`, { as: key }),
    ).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: `?${name}`, detail: expect.stringContaining(detail) }] },
    });
});

test("request ids are the caller's where they are harmless", async () => {
  const idFor = async (offered: string) =>
    (await world.ask("GET", "/docs", { headers: { "x-request-id": offered } })).headers.get("x-request-id");
  for (const kept of ["trace-0123456789", "my-id-1", "1", "a.b_c-D", "x".repeat(128)])
    expect(await idFor(kept)).toBe(kept);
  for (const replaced of ['"><script>', "two words", "a:b", "x".repeat(129)])
    expect(await idFor(replaced)).toMatch(/^req_[0-9a-f]{24}$/);
});

describe("a caller who wants another type", () => {
  const ask = (path: string, accept: string, as?: string) => world.ask("GET", path, { as, headers: { accept } });

  test.each(["application/xml", "text/html", "application/json;q=0", "image/*"])(
    "(%s) is refused where there is JSON alone",
    async (accept) => {
      const answer = await ask("/.well-known/jwks.json", accept);
      expect(answer).toMatchObject({ status: 406, body: { code: "not_acceptable" } });
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
    },
  );

  test.each([
    "*/*",
    "application/*",
    "application/json",
    "application/xml, application/json;q=0.5",
    "text/html, */*;q=0.1",
  ])("gets JSON when %s allows it", async (accept) => {
    expect((await ask("/.well-known/jwks.json", accept)).status).toBe(200);
  });

  test("gets pages and problems as ever, and what is refused is not done", async () => {
    expect((await ask("/docs", "text/html")).status).toBe(200);
    expect((await ask("/docs/problems/not_acceptable", "application/xml")).status).toBe(200);
    expect((await ask("/certificates/proj_000000000000.pdf", "application/pdf")).body.code).toBe("unauthenticated");
    expect((await ask("/certificates/proj_000000000000/verify", "text/html")).body.code).toBe("not_found");
    const { key } = await world.organization();
    const body = { name: "Unwanted", site_address: "Street 1", charge_points_expected: 1 };
    const headers = { accept: "application/xml" };
    expect((await world.ask("POST", "/api/v1/projects", { as: key, body, headers })).status).toBe(406);
    expect((await world.ask("GET", "/api/v1/projects", { as: key })).body.projects).toEqual([]);
  });
});

test("browsers of listed origins alone may call across origins", async () => {
  const preflight = (origin: string) =>
    world.ask("OPTIONS", "/api/v1/projects", { headers: { origin, "access-control-request-method": "POST" } });
  const allowed = await preflight("https://portal.example.org");
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
    204,
    "https://portal.example.org",
  ]);
  const refused = await preflight("https://evil.example.org");
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([405, null]);
});
