import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld({
    RATE_LIMIT_COMMAND: "20/3600",
    RATE_LIMIT_LOGIN: "12/3600",
    RATE_LIMIT_LOGIN_ACCOUNT: "5/3600",
    TRUSTED_PROXIES: "loopback",
    // Other files log in from loopback too: their counters are not these.
    REDIS_URL: `${process.env["TEST_REDIS_URL"]}/11`,
  });
});
afterAll(() => world.close());

/** A new address, so that counters of other tests and runs do not count here. */
const newAddress = () => `2001:db8:${random()}:${random()}::1`;
const random = () => Math.floor(Math.random() * 0xffff).toString(16);
const logIn = (from: string, email: string, password = "not-the-password") =>
  world.ask("POST", "/api/v1/installer/login", { body: { email, password }, headers: { "x-forwarded-for": from } });

test("[E18] an organisation that floods charge points with commands ends at its quota, with all of its keys; others go on", async () => {
  const flooding = await world.organization();
  const other = await world.organization();
  const { installerId, token } = await world.installer();
  const unitOf = async (key: string, serial: string) => {
    const unit = {
      project_id: await world.project(key, installerId),
      serial_number: serial,
      model: "M",
      vendor: "V",
      ocpp_version: "1.6",
      connector_count: 1,
    };
    const { status, body } = await world.ask("POST", "/api/v1/installer/charge-points", { as: token, body: unit });
    expect({ status, body }).toMatchObject({ status: 201 });
    return body.charge_point_id as string;
  };
  const [target, neighbour] = [await unitOf(flooding.key, "S1"), await unitOf(other.key, "S2")];
  const keys = [flooding.key];
  for (const name of ["second", "third"]) {
    const { body } = await world.ask("POST", "/api/v1/org/api-keys", {
      as: flooding.key,
      body: { name, scopes: ["write:charge_points"] },
    });
    keys.push(body.key);
  }
  const reset = (key: string, id: string) =>
    world.ask("POST", `/api/v1/cpo/commands/${id}`, { as: key, body: { command: "soft_reset" } });
  const [flood, calm] = await Promise.all([
    Promise.all(Array.from({ length: 60 }, (_, n) => reset(keys[n % 3] as string, target))),
    Promise.all(Array.from({ length: 10 }, () => reset(other.key, neighbour))),
  ]);
  const refused = flood.filter(({ status }) => status === 429);
  expect([flood.length - refused.length, refused.length]).toEqual([20, 40]);
  for (const { headers, body } of refused) {
    expect(body).toMatchObject({ code: "rate_limited", remedy: expect.stringContaining("Retry-After") });
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  }
  expect(calm.map(({ status }) => status)).toEqual(Array(10).fill(200));
  const sent = await world.sql.query<{ org_id: string; n: number }>(
    "select org_id, count(*)::int as n from commands group by 1",
  );
  expect(new Map(sent.map(({ org_id, n }) => [org_id, n]))).toEqual(
    new Map([
      [flooding.orgId, 20],
      [other.orgId, 10],
    ]),
  );
});

test("[E7] guessing at one account ends at that account and address, and its owner still logs in from his own", async () => {
  const { email } = await world.installer();
  const attacker = newAddress();
  const guesses = [];
  for (let count = 0; count < 7; count++) guesses.push((await logIn(attacker, email)).status);
  expect(guesses).toEqual([401, 401, 401, 401, 401, 429, 429]);
  // The right password does not tell itself apart from a wrong one any more, from there.
  const late = await logIn(attacker, email, SIGN_UP.password);
  expect([late.status, late.body.code]).toEqual([429, "rate_limited"]);
  expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await logIn(newAddress(), email, SIGN_UP.password)).status).toBe(200);
});

test("[E7] spraying one password over many accounts ends at the address, for the subscriber's whole IPv6 network", async () => {
  const victims = await Promise.all([world.installer(), world.installer()]);
  const network = newAddress().replace("::1", "");
  const sprayed = [];
  for (let count = 0; count < 20; count++)
    sprayed.push((await logIn(`${network}::${count.toString(16)}`, `nobody${count}@example.org`)).status);
  expect(sprayed).toEqual([...Array(12).fill(401), ...Array(8).fill(429)]);
  for (const { email } of victims) expect((await logIn(newAddress(), email, SIGN_UP.password)).status).toBe(200);
});

test("[E7] an address that is merely claimed counts for nothing: without a proxy of ours in front all come from one", async () => {
  const bare = await startApiWorld({ RATE_LIMIT_LOGIN: "4/3600", REDIS_URL: `${process.env["TEST_REDIS_URL"]}/12` });
  try {
    await bare.redis.flushdb();
    const statuses = [];
    for (let count = 0; count < 6; count++) {
      const { status } = await bare.ask("POST", "/api/v1/installer/login", {
        body: { email: `nobody${count}@example.org`, password: "not-the-password" },
        headers: { "x-forwarded-for": newAddress() },
      });
      statuses.push(status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 429, 429]);
  } finally {
    await bare.close();
  }
});
