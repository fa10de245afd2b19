import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { identifyProcess, isAlive, type ProcessIdentity } from "../process-identity.ts";
import { startTestPostgres, startTestRedis, type TestServer } from "../test-servers.ts";
import pg from "pg";

let redis: TestServer;
let postgres: TestServer;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([startTestRedis({ appendOnly: true }), startTestPostgres()]);
});
afterAll(async () => {
  await Promise.all([redis.remove(), postgres.remove()]);
});

test("a Redis with its file appended has its data after a restart, on the same port", async () => {
  expect(await ask(redis.port, "SET kept 1")).toContain("+OK");
  await redis.stop();
  await redis.restart();
  expect(await ask(redis.port, "GET kept")).toContain("1");
});

test("a Postgres that was killed comes back with what was committed", async () => {
  await query(postgres.url, "create table kept as select 1 as n");
  await postgres.kill();
  await postgres.restart();
  expect(await query(postgres.url, "select n from kept")).toEqual([{ n: 1 }]);
});

test.runIf(process.platform === "linux")("servers of a test run that is killed end with it", async () => {
  const script = `
    import { startTestPostgres, startTestRedis } from ${JSON.stringify(new URL("../test-servers.ts", import.meta.url).href)};
    const servers = await Promise.all([startTestRedis(), startTestPostgres()]);
    console.log(JSON.stringify(servers.map((server) => server.pid())));`;
  const args = ["--conditions=source", "--input-type=module", "--eval", script];
  const folder = mkdtempSync(join(tmpdir(), "killed-run-"));
  chmodSync(folder, 0o755);
  const run = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: folder },
  });
  const printed = await new Promise<string>((resolve, reject) => {
    run.stdout.once("data", (chunk) => resolve(String(chunk)));
    run.once("exit", () => reject(new Error("it ended by itself")));
  });
  const servers = (JSON.parse(printed) as number[]).map((pid) => identifyProcess(pid) as ProcessIdentity);
  expect(servers.map(isAlive)).toEqual([true, true]);
  run.kill("SIGKILL");
  await expect.poll(() => servers.some(isAlive), { timeout: 20_000 }).toBe(false);
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
});

test("the run's own servers are there", async () => {
  expect(
    await query(process.env["TEST_DATABASE_URL"] as string, "select current_setting('is_superuser') as super"),
  ).toEqual([{ super: "on" }]);
  expect(await ask(Number(new URL(process.env["TEST_REDIS_URL"] as string).port), "PING")).toContain("+PONG");
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.end(`${command}\r\nQUIT\r\n`));
    socket.on("data", (chunk) => (answer += chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}
