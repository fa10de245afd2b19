import { Registry } from "prom-client";
import { afterEach, expect, test } from "vitest";
import { createInternalServer, type InternalServer } from "./health.ts";

let server: InternalServer;
afterEach(() => server.close());

async function start(checks: Record<string, () => Promise<boolean>>) {
  server = await createInternalServer({ port: 0, host: "127.0.0.1", checks, registry: new Registry() });
  return async (path: string) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).status;
}

test("ready means: started, not stopping, and every check passes", async () => {
  const status = await start({ redis: async () => true });
  expect(await status("/readyz")).toBe(503);
  server.markReady();
  expect(await status("/readyz")).toBe(200);
  server.markNotReady();
  expect(await status("/readyz")).toBe(503);
});

test.each([
  ["says no", async () => false],
  ["fails", () => Promise.reject(new Error("away"))],
  ["hangs", () => new Promise<boolean>(() => {})],
])("a check that %s makes the process not ready, and leaves it alive", async (_, check) => {
  const status = await start({ postgres: check });
  server.markReady();
  expect(await status("/readyz")).toBe(503);
  expect(await status("/livez")).toBe(200);
});

test("there is nothing else on the internal port", async () => {
  const status = await start({});
  expect([await status("/metrics"), await status("/"), await status("/debug")]).toEqual([200, 404, 404]);
});
