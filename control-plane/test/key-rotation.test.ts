import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiProcess, startApiProcess } from "./api-process.ts";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
/** The processes behind the load balancer: the load takes them in turn. */
const serving: ApiProcess[] = [];

beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(async () => {
  for (const { child } of serving) child.kill("SIGKILL");
  await world?.close();
});

const newKey = () =>
  generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const publicPem = (pem: string) => createPublicKey(pem).export({ type: "spki", format: "pem" }).toString();

/** Process by process, as a deployment does: the new one serves before the old one stops. */
async function deploy(keys: Record<string, string>): Promise<void> {
  for (let index = 0; index < 2; index++) {
    const old = serving[index];
    serving[index] = await startApiProcess({ ...world.env, RATE_LIMIT_READ: "1000000/60", ...keys });
    old?.child.kill("SIGTERM");
    await old?.ended;
  }
}

test("[E2] keys are added, switched and removed under load: no token that is still good is refused, by us or by who reads our JWKS", async () => {
  const { email } = await world.installer();
  const [first, second] = [newKey(), newKey()];
  await deploy({ JWT_SIGNING_KEY: first });

  const statuses = new Map<number, number>();
  const mistakes: string[] = [];
  let turn = 0;
  const next = () => (serving[(turn += 1) % 2] as ApiProcess).url;
  /** Asks again where a process has just stopped: that is the load balancer's part. */
  const request = async (path: string, init: RequestInit): Promise<Response> => {
    for (let tries = 0; ; tries++)
      try {
        return await fetch(next() + path, init);
      } catch (cause) {
        if (tries === 5) throw cause;
      }
  };
  // As a service would that checks our tokens itself, through any of the processes.
  const jwks = createRemoteJWKSet(new URL("https://jwks.example.org/"), {
    cooldownDuration: 0,
    [customFetch]: () => request("/.well-known/jwks.json", {}),
  });
  const logIn = async (): Promise<string> => {
    const answer = await request("/api/v1/installer/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password: SIGN_UP.password }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    await jwtVerify(token, jwks, { algorithms: ["RS256"] }).catch((cause: Error) => mistakes.push(cause.message));
    return token;
  };
  const load = { running: true, tokens: [await logIn()] };
  const ask = (token: string) =>
    request("/api/v1/installer/me", { headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status);
  const workers = Array.from({ length: 4 }, async (_, worker) => {
    for (let count = 0; load.running; count++) {
      if (worker === 0 && count % 20 === 0) load.tokens.push(await logIn());
      const status = await ask(load.tokens[count % load.tokens.length] as string);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  });

  // The coming key is known everywhere before anything is signed with it, and the former one for as long as its tokens live.
  await deploy({ JWT_SIGNING_KEY: first, JWT_PREVIOUS_KEYS: publicPem(second) });
  await deploy({ JWT_SIGNING_KEY: second, JWT_PREVIOUS_KEYS: publicPem(first) });
  const [old] = load.tokens as [string];
  // Their hour is over, as it were: what was signed with the first key is used no more.
  load.tokens = [await logIn()];
  await deploy({ JWT_SIGNING_KEY: second });
  load.running = false;
  await Promise.all(workers);

  expect(mistakes).toEqual([]);
  expect([...statuses.keys()]).toEqual([200]);
  expect(statuses.get(200)).toBeGreaterThan(100);
  expect(await ask(old)).toBe(401);
}, 240_000);
