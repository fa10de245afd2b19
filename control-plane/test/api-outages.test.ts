import { startTestPostgres, startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let postgres: TestServer;
let redis: TestServer;
let world: ApiWorld;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  world = await startApiWorld({ REDIS_URL: redis.url, RATE_LIMIT_LOGIN: "4/60" }, postgres.url);
});
afterAll(async () => {
  await world.close();
  await Promise.all([postgres.remove(), redis.remove()]);
});

const unit = (project_id: string, serial_number: string) => ({
  project_id,
  serial_number,
  model: "M",
  vendor: "V",
  ocpp_version: "1.6",
  connector_count: 1,
});

test("without Redis accounts, projects and registrations work; logins stay limited; the registry is written when it is back", async () => {
  const { key } = await world.organization();
  const { installerId, token, email } = await world.installer();
  const projectId = await world.project(key, installerId);
  await redis.kill();
  const registered = await world.ask("POST", "/api/v1/installer/charge-points", {
    as: token,
    body: unit(projectId, "S1"),
  });
  expect(registered.status).toBe(201);
  const id = registered.body.charge_point_id;
  expect(
    await world.sql.query(
      "select 1 from registry_outbox o join stations s on s.id = o.station_id where s.charge_point_id = $1",
      [id],
    ),
  ).toHaveLength(1);
  // Nobody can tell now; what Postgres knows is shown all the same.
  expect((await world.ask("GET", `/api/v1/installer/charge-points/${id}`, { as: token })).body).toMatchObject({
    charge_point_id: id,
    online: null,
  });

  const logIns = [];
  for (let i = 0; i < 5; i++)
    logIns.push(await world.ask("POST", "/api/v1/installer/login", { body: { email, password: SIGN_UP.password } }));
  expect(logIns.map(({ status }) => status)).toEqual([200, 200, 200, 200, 429]);
  await redis.restart();
});

test("without Postgres every route says so, with the time to try again, and no word of the inside", async () => {
  const { key } = await world.organization();
  await postgres.kill();
  const answer = await world.ask("GET", "/api/v1/projects", { as: key });
  expect(answer).toMatchObject({ status: 503, body: { code: "unavailable", request_id: expect.any(String) } });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(JSON.stringify(answer.body)).not.toMatch(/ECONN|postgres|127\.0\.0\.1|at \w+ \(/i);
  expect((await world.ask("GET", "/openapi.json")).status).toBe(200);
  await postgres.restart();
  await expect
    .poll(async () => (await world.ask("GET", "/api/v1/projects", { as: key })).status, { timeout: 20_000 })
    .toBe(200);
});
