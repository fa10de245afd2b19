import { createHash } from "node:crypto";
import type { MikroORM } from "@mikro-orm/postgresql";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openOrm } from "../database.ts";
import { logIn } from "../installers/log-in.ts";
import { createPasswords } from "../installers/password.ts";
import { ENTITIES } from "../processes/api/entities.ts";
import { type Answer, type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
let orm: MikroORM;
beforeAll(async () => {
  world = await startApiWorld();
  orm = await openOrm(world.env.DATABASE_URL, ENTITIES, 2);
});
afterAll(async () => {
  await orm?.close();
  await world?.close();
});

const ask = (path: string, body: object) => world.ask("POST", `/api/v1/installer/${path}`, { body });
/** What a caller can tell two answers apart by, but for what names the request. */
const seen = ({ status, headers, body }: Answer) => {
  const { request_id: _, instance: __, installer_id: ___, ...told } = body as Record<string, unknown>;
  const own = new Set(["date", "x-request-id", "ratelimit", "content-length"]);
  return { status, headers: [...headers].filter(([name]) => !own.has(name)), told };
};
const linkOf = async (email: string, template: string) =>
  new URL((await world.mailTo(email, template))?.["url"] as string).searchParams.get("token") as string;

/** One address of each kind: with an account, signed up only, closed, and unknown. */
async function addresses(): Promise<string[]> {
  const { email } = await world.installer();
  const pending = `pending-${email}`;
  await ask("signup", { ...SIGN_UP, email: pending });
  const closed = await world.installer();
  await world.sql.query("update installers set status = 'disabled' where id = $1", [closed.installerId]);
  return [email, pending, closed.email, `nobody-${email}`];
}

test.each([
  ["signing up", (email: string) => ask("signup", { ...SIGN_UP, email })],
  ["logging in with a wrong password", (email: string) => ask("login", { email, password: "not-the-password" })],
  ["asking for a new password", (email: string) => ask("forgot-password", { email })],
  ["asking for another verification mail", (email: string) => ask("resend-verification", { email })],
])("[E6] %s tells nobody what is known of an address", async (_, attempt) => {
  const answers = [];
  for (const email of await addresses()) {
    const { told, ...rest } = seen(await attempt(email));
    // A sign-up repeats the address that it was given.
    answers.push({ ...rest, told: { ...told, ...("email" in told ? { email: "as given" } : {}) } });
  }
  for (const answer of answers) expect(answer).toEqual(answers[0]);
});

test("[E6] a log-in costs the same whether there is such an account or not: one verification, and as many looks into the database", async () => {
  const real = createPasswords();
  const costs = [];
  for (const email of await addresses()) {
    let [verifications, statements] = [0, 0];
    const passwords = {
      ...real,
      matches: (stored: string | undefined, password: string) => {
        verifications += 1;
        return real.matches(stored, password);
      },
    };
    const allow = { allowed: true, retryAfterSeconds: 0, headers: {} };
    const counted = new Proxy(orm, {
      get: (target, name) => {
        if (name === "em") statements += 1;
        return Reflect.get(target, name) as unknown;
      },
    });
    const outcome = await logIn(
      {
        orm: counted,
        passwords,
        accessTokens: { issue: () => Promise.reject(new Error()), verify: () => Promise.reject(new Error()) },
        rateLimits: { consume: async () => ({}), attempt: async () => allow },
      },
      email,
      "not-the-password",
      "192.0.2.1",
    );
    expect(outcome).toEqual({ ok: false, error: { kind: "wrong" } });
    costs.push({ verifications, statements });
  }
  for (const cost of costs) expect(cost).toEqual({ verifications: 1, statements: 1 });
});

test("[E6] a mailed link holds 256 bits, and its hash alone is stored", async () => {
  const { email } = await world.installer();
  await ask("forgot-password", { email });
  const tokens = [await linkOf(email, "verify_email"), await linkOf(email, "reset_password")];
  for (const token of tokens) {
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    const hash = createHash("sha256").update(token).digest();
    expect(await world.sql.query("select 1 from installer_tokens where token_hash = $1", [hash])).toHaveLength(1);
  }
});

test("[E6] a link sets a password once, also when it is used many times at the same moment, and not in another's place", async () => {
  const { email } = await world.installer();
  await ask("forgot-password", { email });
  const token = await linkOf(email, "reset_password");
  const statuses = await Promise.all(
    Array.from(
      { length: 6 },
      async (_, n) => (await ask("reset-password", { token, password: `another-one-${n}-x` })).status,
    ),
  );
  expect(statuses.sort((one, two) => one - two)).toEqual([200, 410, 410, 410, 410, 410]);
  // The link of one purpose is none of the other.
  const pending = `pending-${email}`;
  await ask("signup", { ...SIGN_UP, email: pending });
  const verification = await linkOf(pending, "verify_email");
  expect((await ask("reset-password", { token: verification, password: "another-one-entirely" })).status).toBe(410);
});

test("[E6] guessing at links ends at the address it comes from", async () => {
  const few = await startApiWorld({ RATE_LIMIT_MAIL: "4/3600", REDIS_URL: `${process.env["TEST_REDIS_URL"]}/13` });
  try {
    await few.redis.flushdb();
    const statuses = [];
    for (let count = 0; count < 6; count++) {
      const body = { token: `guess-${count}`, password: "a-good-password" };
      statuses.push((await few.ask("POST", "/api/v1/installer/reset-password", { body })).status);
    }
    expect(statuses).toEqual([410, 410, 410, 410, 429, 429]);
  } finally {
    await few.close();
  }
});
