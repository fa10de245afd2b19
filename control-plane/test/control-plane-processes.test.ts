import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import { passwordMatches } from "@dynamo-csms/proto/station-password";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { decodeStationRecord } from "@dynamo-csms/proto/station-record";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { createEmptyDatabase, type OwnDatabase } from "./own-database.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), "dynamo-test-"));
let database: OwnDatabase;
let world: ApiWorld;
let env: Record<string, string | undefined>;
beforeAll(async () => {
  database = await createEmptyDatabase();
  world = await startApiWorld();
  env = { PATH: process.env["PATH"], ...world.env, DATABASE_URL: database.url, INTERNAL_PORT: "0" };
});
afterAll(async () => {
  await world.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const start = (file: string, args: string[], environment = env) =>
  spawn(process.execPath, ["--conditions=source", `control-plane/processes/${file}/main.ts`, ...args], {
    cwd: ROOT,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });

async function run(
  file: string,
  args: string[] = [],
  environment = env,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = start(file, args, environment);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

test("two migrations at once leave one schema, and a third has nothing to do", async () => {
  const [one, two] = await Promise.all([run("migrate"), run("migrate")]);
  expect([one.code, two.code]).toEqual([0, 0]);
  expect([one.stdout, two.stdout].filter((text) => text.includes('"migrated"'))).toHaveLength(1);
  expect((await run("migrate")).stdout).toContain("nothing to migrate");
});

test("a migration gives up on a Postgres that stays away, and says why", async () => {
  const { code, stdout } = await run("migrate", [], {
    ...env,
    DATABASE_URL: "postgres://postgres@127.0.0.1:1/x",
    MIGRATE_WAIT_MS: "600",
  });
  expect(code).toBe(1);
  const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) as string) as object;
  expect(last).toMatchObject({ msg: "crashed", error: { code: "ECONNREFUSED" } });
});

test("the first organisation and its key are made once", async () => {
  const args = ["bootstrap", "--name", "ChargeCo — Ключ", "--contact-email", "ops@example.org"];
  const [one, two] = await Promise.all([run("cli", args), run("cli", args)]);
  const made = [one, two].map(({ stdout }) => JSON.parse(stdout) as { org_id: string; api_key?: string });
  expect(made[0]?.org_id).toBe(made[1]?.org_id);
  expect(made.filter(({ api_key }) => api_key?.startsWith("dyn_live_"))).toHaveLength(1);
  expect(Object.keys(JSON.parse((await run("cli", args)).stdout))).toEqual(["org_id"]);
  expect((await run("cli", ["bootstrap", "--name", "X", "--contact-email", "a@b\r\nBcc: c@d"])).code).toBe(2);
});

test("generated charge points are known to the gateways, with the passwords of the file", async () => {
  const out = join(folder, "stations.csv");
  const { code, stderr } = await run("cli", [
    "charge-points",
    "generate",
    "--count",
    "1500",
    "--ocpp",
    "1.6",
    "--accepted",
    "--out",
    out,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("1500") });
  expect(statSync(out).mode & 0o777).toBe(0o600);
  const [heading, ...lines] = readFileSync(out, "utf8").trimEnd().split("\n");
  expect([heading, lines.length]).toEqual(["charge_point_id,password", 1500]);
  for (const line of [lines[0], lines[1499]]) {
    const [id, password] = (line as string).split(",") as [string, string];
    const record = decodeStationRecord(
      (await world.redis.hget(stationRecord(id as StationIdentity), "record")) as string,
    );
    expect(record).toMatchObject({ chargePointId: id, registration: "accepted", ocppVersions: ["1.6"] });
    expect(passwordMatches(Buffer.from(password), record.verifiers, world.config.peppers)).toBe(true);
  }
});

test("a key is made on the command line, with the scopes that were asked for", async () => {
  const { stdout } = await run("cli", ["api-keys", "create", "--name", "reader", "--scopes", "read:projects"]);
  expect(JSON.parse(stdout)).toMatchObject({
    id: expect.stringMatching(/^key_/),
    api_key: expect.stringMatching(/^dyn_live_/),
  });
});

test.each([
  [["nonsense"], "there is no command `nonsense`; `--help` lists all of them"],
  [["charge-points", "generate", "--count", "0", "--ocpp", "1.6", "--out", "x"], "--count"],
  [["charge-points", "generate", "--count", "1", "--ocpp", "3", "--out", "x"], "--ocpp"],
  [["api-keys", "create", "--name", "x", "--scopes", "all"], "--scopes: all is none of"],
])("the command line says what is wrong with %j", async (args, text) => {
  const { code, stderr } = await run("cli", args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(text) });
});

test.each(["api", "decisions", "intake", "jobs", "migrate"])(
  "%s does not start on a bad environment: it lists its mistakes, shows no stack, and ends with 1",
  async (name) => {
    const { code, stdout, stderr } = await run(name, [], { PATH: env["PATH"], LOG_LEVEL: "loud" });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    const [first, ...further] = stderr.trimEnd().split("\n");
    expect(first).toMatch(new RegExp(`^${name} did not start\\. Its environment has \\d+ mistakes:$`));
    expect(further.at(-1)).toMatch(/^Set these variables .* start it again\.$/);
    const mistakes = further.slice(0, -1);
    expect(mistakes.filter((line) => !/^ {2}[A-Z_]+/.test(line))).toEqual([]);
    expect(mistakes.join("\n")).toContain("DATABASE_URL is not set");
    expect(mistakes.join("\n")).toContain("LOG_LEVEL=loud");
  },
);

test("the command line lists what is missing from its environment in the same words", async () => {
  const { code, stderr } = await run("cli", ["api-keys", "create", "--name", "x"], { PATH: env["PATH"] });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^cli did not start\. Its environment has a mistake:\n {2}DATABASE_URL is not set/);
});

test("the api process refuses to start with every mistake listed", async () => {
  const { code, stderr } = await run("api", [], {
    PATH: env["PATH"],
    API_PORT: "99999",
    RATE_LIMIT_LOGIN: "often",
    REDIS_URL: "http://x",
  });
  expect(code).toBe(1);
  for (const name of [
    "DATABASE_URL",
    "REDIS_URL",
    "SECRETS_KEY",
    "PUBLIC_API_URL",
    "JWT_SIGNING_KEY",
    "STATION_PEPPERS",
    "API_PORT=99999",
    "RATE_LIMIT_LOGIN=often",
  ])
    expect(stderr).toContain(name);
});

test("development settings are refused in production", async () => {
  const { code, stderr } = await run("api", [], {
    ...env,
    NODE_ENV: "production",
    WEBHOOK_ALLOW_PRIVATE: "true",
    PUBLIC_API_URL: "http://api.example.org",
    PUBLIC_OCPP_URL: "ws://ocpp.example.org",
  });
  expect(code).toBe(1);
  for (const name of ["WEBHOOK_ALLOW_PRIVATE", "PUBLIC_API_URL", "PUBLIC_OCPP_URL"]) expect(stderr).toContain(name);
});

test("the api process serves, tells its health, and stops in order with exit code 0", async () => {
  const child = start("api", []);
  const ready = await new Promise<{ port: number; internalPort: number }>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      const entry = JSON.parse(line) as { msg: string; port: number; internalPort: number };
      if (entry.msg === "ready") resolve(entry);
    });
    child.once("close", (code) => reject(new Error(`ended with ${String(code)}`)));
  });
  const internal = (path: string) => fetch(`http://127.0.0.1:${ready.internalPort}${path}`);
  expect((await fetch(`http://127.0.0.1:${ready.port}/openapi.json`)).status).toBe(200);
  expect((await internal("/livez")).status).toBe(200);
  expect(await (await internal("/readyz")).json()).toEqual({ status: "ready", checks: { postgres: true } });
  const metrics = await (await internal("/metrics")).text();
  expect(metrics).toContain('http_request_duration_seconds_count{method="GET",route="/openapi.json",status="200"} 1');
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGTERM");
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
});
