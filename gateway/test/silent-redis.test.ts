import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startWorld, until, type World } from "./world.ts";

let server: TestServer;
let world: World;
beforeEach(async () => {
  server = await startTestRedis();
  world = await startWorld(server.url);
});
afterEach(async () => {
  server.resume();
  await world.close();
  await server.remove();
});

test("a Redis that stands still makes an idle node not ready and leaves it alive; its probes do not hang", async () => {
  const gateway = await world.gateway();
  const statusOf = async (path: string) =>
    (await fetch(`${gateway.internalUrl}${path}`, { signal: AbortSignal.timeout(5_000) })).status;
  await until("it is ready", async () => (await statusOf("/readyz")) === 200);
  server.pause();
  // Nothing is sent meanwhile: it is the leases that lapse.
  await until("it is not ready", async () => (await statusOf("/readyz")) === 503);
  expect(await statusOf("/livez")).toBe(200);
  const metrics = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
  expect(metrics.split("\n")).toContain("dynamo_ready 0");
  server.resume();
  await until("it is ready again", async () => (await statusOf("/readyz")) === 200);
});
