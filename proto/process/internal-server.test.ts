import { once } from "node:events";
import { connect } from "node:net";
import { Registry } from "prom-client";
import { afterEach, expect, test } from "vitest";
import { pino } from "pino";
import { createLogLevelSwitch, type LogLevelSwitch } from "./log-level.ts";
import { type Checks, type InternalServer, startInternalServer } from "./internal-server.ts";

let server: InternalServer;
afterEach(() => server.close());

async function start(checks: Checks, logLevel?: LogLevelSwitch) {
  server = await startInternalServer({
    port: 0,
    host: "127.0.0.1",
    checks,
    registry: new Registry(),
    ...(logLevel && { logLevel }),
  });
  return async (path: string, request: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, request);
    return { status: response.status, body: await response.text() };
  };
}

test("ready means: started, not stopping, and every check passes", async () => {
  const get = await start({ redis: () => true, postgres: async () => true });
  const readiness = async () => {
    const { status, body } = await get("/readyz");
    return { code: status, ...(JSON.parse(body) as object) };
  };
  const checks = { redis: true, postgres: true };
  expect(await readiness()).toEqual({ code: 503, status: "starting", checks });
  server.markReady();
  expect(await readiness()).toEqual({ code: 200, status: "ready", checks });
  server.markStopping();
  expect(await readiness()).toEqual({ code: 503, status: "stopping", checks });
  server.markReady();
  expect(await readiness()).toEqual({ code: 503, status: "stopping", checks });
});

test.each<[string, Checks[string]]>([
  ["says no", () => false],
  [
    "throws",
    () => {
      throw new Error("away");
    },
  ],
  ["rejects", () => Promise.reject(new Error("away"))],
  ["hangs", () => new Promise<boolean>(() => {})],
])("a check that %s makes the process not ready, and leaves it alive", async (_, check) => {
  const get = await start({ postgres: check, redis: () => true });
  server.markReady();
  const { status, body } = await get("/readyz");
  expect({ code: status, ...(JSON.parse(body) as object) }).toEqual({
    code: 503,
    status: "not ready",
    checks: { postgres: false, redis: true },
  });
  expect((await get("/livez")).status).toBe(200);
});

test("a check that still runs is not begun again, and the metrics say what /readyz says", async () => {
  let begun = 0;
  let end: (passes: boolean) => void = () => {};
  const hangs = () => {
    begun += 1;
    return new Promise<boolean>((resolve) => (end = resolve));
  };
  const get = await start({ postgres: hangs, redis: () => true });
  server.markReady();
  const statuses = await Promise.all([1, 2, 3].map(async () => (await get("/readyz")).status));
  expect({ statuses, begun }).toEqual({ statuses: [503, 503, 503], begun: 1 });
  const { body: metrics } = await get("/metrics");
  for (const line of [
    "dynamo_ready 0",
    'dynamo_check_passes{check="postgres"} 0',
    'dynamo_check_passes{check="redis"} 1',
  ])
    expect(metrics.split("\n")).toContain(line);
  end(true);
  const again = get("/readyz");
  await expect.poll(() => begun).toBe(2);
  end(true);
  expect((await again).status).toBe(200);
}, 20_000);

test("there is nothing else on the internal port", async () => {
  const get = await start({});
  const statuses = await Promise.all(
    ["/metrics", "/", "/debug", "/log-level"].map(async (path) => (await get(path)).status),
  );
  expect(statuses).toEqual([200, 404, 404, 404]);
});

test("the log's level is read and changed; a mistake names what there is", async () => {
  const log = pino({ level: "info" }, { write: () => {} });
  const call = await start({}, createLogLevelSwitch(log, "info"));
  const put = (body: string) => call("/log-level", { method: "PUT", body });
  expect(await call("/log-level")).toEqual({ status: 200, body: '{"level":"info"}\n' });
  expect(await put("debug\n")).toEqual({ status: 200, body: '{"level":"debug"}\n' });
  expect(log.level).toBe("debug");
  const refused = await Promise.all([put("loud"), put("x".repeat(100_000)), put("")]);
  expect(refused.map(({ status }) => status)).toEqual([400, 400, 400]);
  expect(refused[0]?.body).toContain("trace, debug, info");
  expect((await call("/log-level", { method: "POST", body: "warn" })).status).toBe(405);
  expect(log.level).toBe("debug");
});

test("a body that never ends is waited for no longer than any request, and changes nothing", async () => {
  const log = pino({ level: "info" }, { write: () => {} });
  const logLevel = createLogLevelSwitch(log, "info");
  const deps = { port: 0, host: "127.0.0.1", checks: {}, registry: new Registry() };
  server = await startInternalServer({ ...deps, logLevel, requestTimeoutMs: 50 });
  const socket = connect(server.port, "127.0.0.1");
  let told = "";
  socket.on("data", (data: Buffer) => (told += data.toString()));
  socket.write("PUT /log-level HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\ndebug");
  await once(socket, "close");
  expect(told).toMatch(/^HTTP\/1.1 4\d\d /);
  expect(log.level).toBe("info");
});
