import { createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import { exportJWK, importPKCS8, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadSigningKeys } from "../installers/signing-keys.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

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

  test("[E1] that has expired says so, and what to do", async () => {
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
    ["an unknown key", { header: { kid: "x" } }],
    ["no key", { header: { kid: undefined } }],
    ["a path for a key", { header: { kid: "../../dev/null" } }],
    ["a statement for a key", { header: { kid: "' union select 'x' --" } }],
    ["a key that every object has", { header: { kid: "__proto__" } }],
    ["an unknown key of its own", { header: { kid: "x", jku: "https://evil.example.org/jwks.json" } }],
    ["its end as a text", { claims: { exp: "2099-01-01" } }],
    ["no owner", { claims: { sub: undefined } }],
    ["an installer who does not exist", { claims: { sub: "ins_000000000000" } }],
  ])("[E1] with %s is refused", async (_, change) => {
    expect(await me(await forge(change))).toMatchObject({ status: 401, body: { code: "invalid_token" } });
  });

  test("of before a new password says what has ended it", async () => {
    const answer = await me(await forge({ claims: { pwd: 1 } }));
    expect(answer).toMatchObject({
      status: 401,
      body: { code: "session_ended", detail: "This session was ended by a new password." },
    });
    expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
  });

  test("[E1] signed with another algorithm of our key, or with a key that it brings along, is refused", async () => {
    const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const jwk = await exportJWK(stranger.publicKey);
    const ours = await importPKCS8(world.config.jwtSigningKey, "PS256");
    const { kid } = (await loadSigningKeys(world.config.jwtSigningKey)).current;
    const shown = [
      { jwk },
      { x5u: "https://evil.example.org/cert.pem" },
      { jku: "https://evil.example.org/jwks.json", jwk },
    ];
    const tokens = [
      await forge({ header: { alg: "PS256" }, key: ours }),
      await forge({ header: { alg: "RS512" }, key: await importPKCS8(world.config.jwtSigningKey, "RS512") }),
      await forge({ header: { alg: "ES256" }, key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey }),
      ...(await Promise.all(shown.map((header) => forge({ header: { ...header, kid }, key: stranger.privateKey })))),
      ...(await Promise.all(
        shown.map((header) => forge({ header: { ...header, kid: "theirs" }, key: stranger.privateKey })),
      )),
    ];
    for (const token of tokens) expect(await me(token)).toMatchObject({ status: 401, body: { code: "invalid_token" } });
  });

  test("[E1] signed with HMAC and our public key, without a signature, or changed is refused", async () => {
    const real = await forge({});
    const [, payload] = real.split(".") as [string, string, string];
    const publicPem = createPublicKey(world.config.jwtSigningKey).export({ type: "spki", format: "pem" });
    const kid = (await loadSigningKeys(world.config.jwtSigningKey)).current.kid;
    const hs256 = `${encoded({ alg: "HS256", typ: "at+jwt", kid })}.${payload}`;
    const [head = "", , signature = ""] = real.split(".");
    const tokens = [
      `${head}.${payload}.`,
      `${head}.${payload}`,
      `${head}..${signature}`,
      `${hs256}.${createHmac("sha256", "").update(hs256).digest("base64url")}`,
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
