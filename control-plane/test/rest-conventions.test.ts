import { createHmac, createPublicKey } from "node:crypto";
import { connect } from "node:net";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadSigningKeys } from "../installers/signing-keys.ts";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld({ CORS_ORIGINS: "https://portal.example.org", RATE_LIMIT_COMMAND: "100/60" });
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

  test("that never ends is given up", async () => {
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
    ["limt=5", "?limt", 400],
    ["__proto__=5", "?__proto__", 400],
  ])("with the query %s is refused", async (query, pointer, status) => {
    const { key } = await world.organization();
    const answer = await world.ask("GET", `/api/v1/projects?${query}`, { as: key });
    expect({ status: answer.status, pointer: answer.body.errors[0].pointer }).toEqual({ status, pointer });
  });
});

test("request ids are the caller's where they are harmless", async () => {
  expect(
    (await world.ask("GET", "/docs", { headers: { "x-request-id": "trace-0123456789" } })).headers.get("x-request-id"),
  ).toBe("trace-0123456789");
  expect(
    (await world.ask("GET", "/docs", { headers: { "x-request-id": '"><script>' } })).headers.get("x-request-id"),
  ).toMatch(/^req_[0-9a-f]{24}$/);
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

describe("an access token", () => {
  let installerId: string;
  beforeAll(async () => {
    ({ installerId } = await world.installer());
  });
  const claims = async () => {
    const [row] = await world.sql.query<{ pwd: string }>(
      "select floor(extract(epoch from password_changed_at) * 1000)::bigint as pwd from installers where id = $1",
      [installerId],
    );
    return { installerId, pwd: Number(row?.pwd) };
  };
  /** A token as ours but for what is changed. */
  const forge = async (change: { header?: object; claims?: object; key?: Parameters<SignJWT["sign"]>[0] }) => {
    const { installerId, pwd } = await claims();
    const keys = await loadSigningKeys(world.config.jwtSigningKey);
    const now = Math.floor(Date.now() / 1_000);
    const payload = {
      iss: world.config.publicApiUrl,
      aud: "dynamo-csms:api",
      sub: installerId,
      jti: "x",
      iat: now,
      exp: now + 60,
      pwd,
      ...change.claims,
    };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: "RS256", typ: "at+jwt", kid: keys.current.kid, ...change.header })
      .sign(change.key ?? keys.current.privateKey);
  };
  const me = (token: string) => world.ask("GET", "/api/v1/installer/me", { as: token });
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

  test("made like ours is accepted (or the others here prove nothing)", async () => {
    expect((await me(await forge({}))).status).toBe(200);
  });

  test("that has expired says so, and what to do", async () => {
    const past = Math.floor(Date.now() / 1_000) - 60;
    const answer = await me(await forge({ claims: { iat: past - 3_600, exp: past } }));
    expect(answer).toMatchObject({
      status: 401,
      body: { code: "expired_token", remedy: expect.stringContaining("/api/v1/installer/login") },
    });
    expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token", error_description="expired"');
  });

  test.each([
    ["another issuer", { claims: { iss: "https://evil.example.org" } }],
    ["another audience", { claims: { aud: "other" } }],
    ["no audience", { claims: { aud: undefined } }],
    ["no expiry", { claims: { exp: undefined } }],
    ["no id", { claims: { jti: undefined } }],
    ["a time before which it is not valid", { claims: { nbf: Math.floor(Date.now() / 1_000) + 600 } }],
    ["another type", { header: { typ: "JWT" } }],
    ["an unknown key", { header: { kid: "../../etc/passwd" } }],
    ["an unknown key of its own", { header: { kid: "x", jku: "https://evil.example.org/jwks.json" } }],
    ["an installer who does not exist", { claims: { sub: "ins_000000000000" } }],
    ["the moment of an older password", { claims: { pwd: 1 } }],
  ])("with %s is refused", async (_, change) => {
    expect(await me(await forge(change))).toMatchObject({ status: 401, body: { code: "invalid_token" } });
  });

  test("signed with HMAC and our public key, without a signature, or changed is refused", async () => {
    const real = await forge({});
    const [, payload] = real.split(".") as [string, string, string];
    const publicPem = createPublicKey(world.config.jwtSigningKey).export({ type: "spki", format: "pem" });
    const kid = (await loadSigningKeys(world.config.jwtSigningKey)).current.kid;
    const hs256 = `${encoded({ alg: "HS256", typ: "at+jwt", kid })}.${payload}`;
    const tokens = [
      `${hs256}.${createHmac("sha256", publicPem).update(hs256).digest("base64url")}`,
      `${encoded({ alg: "none", typ: "at+jwt", kid })}.${payload}.`,
      `${encoded({ alg: "None", typ: "at+jwt", kid })}.${payload}.`,
      real.replace(
        payload,
        encoded({ ...JSON.parse(Buffer.from(payload, "base64url").toString()), sub: "ins_000000000000" }),
      ),
      "a.b.c",
      "nonsense",
    ];
    for (const token of tokens) expect(await me(token)).toMatchObject({ status: 401, body: { code: "invalid_token" } });
  });

  test("stays good while keys are changed, and its key stands in the JWKS", async () => {
    const { token } = await world.installer();
    const { body } = await world.ask("GET", "/.well-known/jwks.json");
    const { kid } = JSON.parse(Buffer.from(token.split(".")[0] as string, "base64url").toString());
    expect(body.keys).toEqual([{ kty: "RSA", kid, use: "sig", alg: "RS256", n: expect.any(String), e: "AQAB" }]);
    const rotated = await loadSigningKeys(
      world.config.jwtSigningKey,
      `${world.config.jwtSigningKey}\n${createPublicKey(world.config.jwtSigningKey).export({ type: "spki", format: "pem" })}`,
    );
    expect(rotated.verifying.has(kid)).toBe(true);
  });
});

describe("who may not", () => {
  test("nobody without credentials reaches a route that wants them", async () => {
    for (const route of world.api.routes.filter(({ access }) => access.kind !== "public")) {
      const answer = await world.ask(route.method.toUpperCase(), route.path.replaceAll(/\{\w+\}/g, "x"));
      expect({ route: route.operationId, status: answer.status, code: answer.body.code }).toEqual({
        route: route.operationId,
        status: 401,
        code: "unauthenticated",
      });
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
  });

  test("an installer's routes refuse API keys and the other way round", async () => {
    const { key } = await world.organization();
    const { token } = await world.installer();
    for (const route of world.api.routes.filter(({ access }) => access.kind !== "public")) {
      const as = route.access.kind === "installer" ? key : token;
      const answer = await world.ask(route.method.toUpperCase(), route.path.replaceAll(/\{\w+\}/g, "x"), { as });
      expect({ route: route.operationId, status: answer.status, code: answer.body.code }).toEqual({
        route: route.operationId,
        status: 403,
        code: "wrong_caller",
      });
    }
  });

  test("a key without scopes opens no route of its organisation", async () => {
    const { key } = await world.organization([]);
    for (const route of world.api.routes.filter(({ access }) => access.kind === "organization")) {
      const answer = await world.ask(route.method.toUpperCase(), route.path.replaceAll(/\{\w+\}/g, "x"), { as: key });
      expect({ route: route.operationId, status: answer.status, code: answer.body.code }).toEqual({
        route: route.operationId,
        status: 403,
        code: "missing_scope",
      });
    }
  });

  test("things of other organisations and installers are not found, by any route with their ids", async () => {
    const [owner, stranger] = [await world.organization(), await world.organization()];
    const [mine, other] = [await world.installer(), await world.installer()];
    const projectId = await world.project(owner.key, mine.installerId);
    const registered = await world.ask("POST", "/api/v1/installer/charge-points", {
      as: mine.token,
      body: {
        project_id: projectId,
        serial_number: "S1",
        model: "M",
        vendor: "V",
        ocpp_version: "1.6",
        connector_count: 1,
      },
    });
    const ids: Record<string, string> = {
      project_id: projectId,
      charge_point_id: registered.body.charge_point_id,
      installer_id: mine.installerId,
      key_id: owner.keyId,
    };
    const withTheirIds = world.api.routes.filter(
      ({ access, path }) =>
        access.kind !== "public" &&
        [...path.matchAll(/\{(\w+)\}/g)].every(([, name]) => (name as string) in ids) &&
        path.includes("{"),
    );
    expect(withTheirIds.length).toBeGreaterThan(10);
    for (const route of withTheirIds) {
      const as = route.access.kind === "installer" ? other.token : stranger.key;
      const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] as string);
      const answer = await world.ask(route.method.toUpperCase(), path, {
        as,
        ...(route.bodyExample === undefined ? {} : { body: route.bodyExample }),
      });
      expect({ route: route.operationId, status: answer.status }).toEqual({ route: route.operationId, status: 404 });
    }
  });
});

describe("an Idempotency-Key", () => {
  const create = (
    as: string,
    key: string,
    body: object = { name: "Once", site_address: "Street 1", charge_points_expected: 1 },
  ) => world.ask("POST", "/api/v1/projects", { as, body, headers: { "idempotency-key": key } });

  test("gives the first answer again and does nothing twice", async () => {
    const { key } = await world.organization();
    const first = await create(key, "a-key");
    const again = await create(key, "a-key");
    expect([again.status, again.body, again.headers.get("location")]).toEqual([
      201,
      first.body,
      first.headers.get("location"),
    ]);
    expect([first.headers.get("idempotent-replayed"), again.headers.get("idempotent-replayed")]).toEqual([
      null,
      "true",
    ]);
    expect((await world.ask("GET", "/api/v1/projects", { as: key })).body.projects).toHaveLength(1);
  });

  test("with another body is refused", async () => {
    const { key } = await world.organization();
    await create(key, "a-key");
    expect(
      await create(key, "a-key", { name: "Other", site_address: "Street 1", charge_points_expected: 1 }),
    ).toMatchObject({ status: 422, body: { code: "idempotency_mismatch" } });
  });

  test("of another caller is another key", async () => {
    const [one, two] = [await world.organization(), await world.organization()];
    expect((await create(one.key, "shared")).body.project_id).not.toBe(
      (await create(two.key, "shared")).body.project_id,
    );
  });

  test("used twice at the same moment runs once", async () => {
    const { key } = await world.organization();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(key, "at-once")));
    for (const { status, body } of answers) expect(status === 201 || body.code === "idempotency_running").toBe(true);
    expect(new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body.project_id)).size).toBe(1);
    expect((await world.ask("GET", "/api/v1/projects", { as: key })).body.projects).toHaveLength(1);
  });

  test("brings back the password that a phone lost, kept sealed", async () => {
    const { key } = await world.organization();
    const { installerId, token } = await world.installer();
    const body = {
      project_id: await world.project(key, installerId),
      serial_number: "S1",
      model: "M",
      vendor: "V",
      ocpp_version: "1.6",
      connector_count: 1,
    };
    const register = () =>
      world.ask("POST", "/api/v1/installer/charge-points", {
        as: token,
        body,
        headers: { "idempotency-key": "phone" },
      });
    const [first, again] = [await register(), await register()];
    expect(again.body).toEqual(first.body);
    const rows = await world.sql.query<{ sealed_answer: string }>(
      "select sealed_answer from idempotency_keys where caller = $1",
      [installerId],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.sealed_answer).not.toContain(first.body.provisioning_password);
  });

  test("of a process that died is taken over by the same request, after a while", async () => {
    const { key, keyId } = await world.organization();
    await create(key, "dead");
    const abandon = (age: string) =>
      world.sql.query(
        `update idempotency_keys set status = null, sealed_answer = null, created_at = now() - $2::interval where caller = $1`,
        [keyId, age],
      );
    await abandon("10 seconds");
    expect(await create(key, "dead")).toMatchObject({ status: 409, body: { code: "idempotency_running" } });
    await abandon("10 minutes");
    expect((await create(key, "dead")).status).toBe(201);
  });

  test("that is no key is refused", async () => {
    const { key } = await world.organization();
    expect(await create(key, "with space")).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "header:Idempotency-Key" }] },
    });
  });
});

test("too many requests are refused with the wait, and the limit is told before", async () => {
  const small = await startApiWorld({
    RATE_LIMIT_SIGNUP: "100000/60",
    RATE_LIMIT_LOGIN: "3/60",
    RATE_LIMIT_LOGIN_ACCOUNT: "100/60",
    REDIS_URL: `${process.env["TEST_REDIS_URL"]}/9`,
  });
  try {
    await small.redis.flushdb();
    const logIn = () =>
      small.ask("POST", "/api/v1/installer/login", { body: { email: "x@example.org", password: "wrong-password" } });
    const first = await logIn();
    expect([first.status, first.headers.get("ratelimit-policy"), first.headers.get("ratelimit")]).toEqual([
      401,
      '"login";q=3;w=60',
      expect.stringMatching(/^"login";r=2;t=\d+$/),
    ]);
    await logIn();
    await logIn();
    const refused = await logIn();
    expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  } finally {
    await small.close();
  }
});

test("guessing at one account ends from that address, whoever asks", async () => {
  const small = await startApiWorld({
    RATE_LIMIT_LOGIN_ACCOUNT: "3/60",
    REDIS_URL: `${process.env["TEST_REDIS_URL"]}/9`,
  });
  try {
    await small.redis.flushdb();
    const { email } = await small.installer();
    const logIn = (password: string) => small.ask("POST", "/api/v1/installer/login", { body: { email, password } });
    expect((await logIn("wrong-1")).status).toBe(401);
    expect((await logIn("wrong-2")).status).toBe(401);
    expect(await logIn(SIGN_UP.password)).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect(
      (
        await small.ask("POST", "/api/v1/installer/login", {
          body: { email: "other@example.org", password: "wrong-1" },
        })
      ).status,
    ).toBe(401);
  } finally {
    await small.close();
  }
});
