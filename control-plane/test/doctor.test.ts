import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { generateKeyPairSync } from "node:crypto";
import { startFaultyRedis } from "@dynamo-csms/local/faults/servers/faulty-redis";
import { startTestPostgres, startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { LANES, lane as laneKey, nodeLease } from "@dynamo-csms/proto/redis-keys";
import { encodeEntry, ENTRY_FIELD } from "@dynamo-csms/proto/stream-entry";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Finding } from "../operations/doctor/finding.ts";
import { until } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { createEmptyDatabase, createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation } from "./registered-station.ts";
import { selfSigned } from "./self-signed.ts";

const MAIN = fileURLToPath(new URL("../processes/cli/main.ts", import.meta.url));

let redisServer: TestServer;
let postgresServer: TestServer;
let redis: Redis;
let database: OwnDatabase;
beforeAll(async () => {
  [redisServer, postgresServer] = await Promise.all([startTestRedis({ appendOnly: true }), startTestPostgres()]);
  database = await createOwnDatabase(postgresServer.url);
  redis = new Redis(redisServer.url);
});
afterAll(async () => {
  redis.disconnect();
  await database.drop();
  await Promise.all([redisServer.remove(), postgresServer.remove()]);
});
beforeEach(() => redis.flushall());

/** What it prints as JSON, and its exit code. */
async function doctor(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--conditions=source", MAIN, "doctor", "-o", "json"], {
    env: {
      PATH: process.env["PATH"],
      DATABASE_URL: database.url,
      REDIS_URL: redisServer.url,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (stdout === "") throw new Error(stderr);
  const { findings, problems } = JSON.parse(stdout) as { findings: Finding[]; problems: number };
  const of = (check: string) => findings.filter((finding) => finding.check === check);
  return { code, problems, findings, of, stdout };
}

/** A stand-in for the processes that a healthy deployment has: their names on connections, and a gateway's lease. */
async function processesThere() {
  await redis.set(nodeLease("gateway-1"), JSON.stringify({ laneId: "lane-1", startedAtMs: 1 }));
  const clients = await Promise.all(
    ["dynamo intake", "dynamo jobs"].map(async (name) => {
      const client = await database.pool.connect();
      await client.query(`set application_name = '${name}'`);
      return client;
    }),
  );
  return () => clients.forEach((client) => client.release(true));
}

test("a deployment that works has no problem, and every check says what it saw", async () => {
  const leave = await processesThere();
  const { code, findings, problems } = await doctor();
  leave();
  expect({ code, problems, found: findings.filter(({ status }) => status === "problem") }).toEqual({
    code: 0,
    problems: 0,
    found: [],
  });
  const checks = new Set(findings.map(({ check }) => check));
  expect([...checks]).toEqual(
    expect.arrayContaining(["configuration", "redis", "queues", "lanes", "gateways", "registry", "clocks", "postgres"]),
  );
  expect([...checks]).toEqual(expect.arrayContaining(["processes", "backlogs", "certificates", "smtp"]));
  for (const { status, remedy } of findings) if (status !== "ok") expect(remedy).toMatch(/\w/);
});

test("a Redis that is away is told, and Postgres is examined all the same", async () => {
  const { code, of } = await doctor({ REDIS_URL: "redis://:s3cret-word@127.0.0.1:1" });
  expect(code).toBe(1);
  expect(of("redis")).toMatchObject([{ status: "problem", runbook: "redis-away" }]);
  expect(of("postgres").filter(({ status }) => status === "problem")).toEqual([]);
});

test("a Postgres that is away, or there and silent, is told in time, and Redis is examined all the same", async () => {
  const away = await doctor({ DATABASE_URL: "postgres://somebody:s3cret-word@127.0.0.1:1/db" });
  expect(away.of("postgres")).toMatchObject([{ status: "problem", runbook: "postgres-away" }]);
  expect(away.of("redis").map(({ status }) => status)).not.toContain("problem");
  expect(away.stdout).not.toContain("s3cret-word");
  postgresServer.pause();
  const silent = await doctor();
  postgresServer.resume();
  expect(silent.code).toBe(1);
  expect(silent.of("postgres")).toMatchObject([{ status: "problem" }]);
  expect(silent.of("redis").map(({ status }) => status)).not.toContain("problem");
});

test("migrations that are missing are named", async () => {
  const empty = await createEmptyDatabase(postgresServer.url);
  const { code, of } = await doctor({ DATABASE_URL: empty.url });
  await empty.drop();
  expect(code).toBe(1);
  expect(of("postgres")).toContainEqual(
    expect.objectContaining({ status: "problem", seen: expect.stringContaining("migrations are missing") }),
  );
});

test("a lane with entries that nobody drains, dead letters and gaps are problems", async () => {
  const leave = await processesThere();
  const station = await registerStation(database.pool, await createProject(database.pool), "1.6");
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await redis.hset(LANES, "lane-1", JSON.stringify({ nodeId: "gateway-1", startedAtMs: 1 }));
  for (const id of ["1-0", "2-0"])
    await redis.xadd(laneKey("lane-1"), id, ENTRY_FIELD, encodeEntry([cp.call("Heartbeat", {})]));
  await database.pool.query(
    `insert into dead_letters (lane_id, entry_id, frame_index, identity, frame, reason) values ('lane-1', '1-0', 0, 'x', '{}', 'test')`,
  );
  await database.pool.query(`insert into lane_gaps (lane_id, from_entry, to_entry) values ('lane-1', '7-0', '9-0')`);
  const { code, of } = await doctor();
  await database.pool.query("truncate dead_letters, lane_gaps");
  leave();
  expect(code).toBe(1);
  expect(of("lanes")).toMatchObject([
    { status: "problem", seen: expect.stringContaining("lane-1: unheld, 2 entries wait"), runbook: "lane-unheld" },
    { status: "problem", seen: expect.stringContaining("1 gaps"), runbook: "lane-gap" },
  ]);
  expect(of("backlogs")).toMatchObject([{ status: "problem", runbook: "dead-letters" }]);
  // The station is in Postgres, and no gateway knows it.
  expect(of("registry")).toMatchObject([{ status: "problem", runbook: "redis-away" }]);
  await database.pool.query("delete from stations");
});

test("nobody at work is a problem", async () => {
  const { of } = await doctor();
  expect(of("gateways")).toMatchObject([{ status: "problem" }]);
  expect(of("processes")).toMatchObject([{ status: "problem" }, { status: "problem" }]);
});

test("a Redis that evicts, forgets, or promises what it cannot keep is a problem", async () => {
  await redis.config("SET", "maxmemory-policy", "allkeys-lru");
  await redis.config("SET", "appendonly", "no");
  const { code, of } = await doctor({ ACK_DURABILITY: "replica" });
  await redis.config("SET", "maxmemory-policy", "noeviction");
  await redis.config("SET", "appendonly", "yes");
  await until(async () => (await redis.info("persistence")).includes("aof_rewrite_in_progress:0"));
  expect(code).toBe(1);
  const problems = of("redis").filter(({ status }) => status === "problem");
  expect(problems.map(({ runbook }) => runbook)).toEqual(["redis-durability", "redis-memory", "redis-durability"]);
  expect(problems.map(({ seen }) => seen).join()).toMatch(/appendonly is off.*allkeys-lru.*no replica is in sync/);
});

test("certificates that have expired, and settings that no process would start with, are problems", async () => {
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
  const day = 86_400_000;
  const expired = await selfSigned(key, "Expired", new Date(Date.now() - day));
  const soon = await selfSigned(key, "Soon", new Date(Date.now() + 5 * day));
  const { of, stdout } = await doctor({
    GATEWAY_TLS_CERT: expired,
    LOCAL_CA_CERT: soon,
    PDF_SIGNING_KEY: key,
    PDF_SIGNING_CERT: expired,
    RATE_LIMIT_LOGIN: "often",
    SECRETS_KEY: "c2hvcnQ=",
  });
  expect(of("certificates").map(({ status, seen }) => [status, seen.split(" ")[0]])).toEqual(
    expect.arrayContaining([
      ["problem", "GATEWAY_TLS_CERT"],
      ["warning", "LOCAL_CA_CERT"],
      ["problem", "PDF_SIGNING_CERT"],
    ]),
  );
  const mistakes = of("configuration").map(({ seen }) => seen);
  expect(mistakes.join("\n")).toMatch(/RATE_LIMIT_LOGIN=often/);
  expect(mistakes.join("\n")).toMatch(/SECRETS_KEY/);
  expect(mistakes.join("\n")).toMatch(/PDF_SIGNING_CERT: the certificate expired/);
  expect(stdout).not.toContain("c2hvcnQ=");
});

test("a mail server that does not answer is a problem", async () => {
  const { of } = await doctor({ SMTP_URL: "smtp://robot:s3cret-word@127.0.0.1:1" });
  expect(of("smtp")).toMatchObject([{ status: "problem", runbook: "mail-backlog" }]);
});

test("a Redis Cluster is examined node by node, also while a master is gone", async () => {
  const servers = await startFaultyRedis("cluster");
  try {
    const whole = await doctor({ REDIS_URL: servers.directUrl });
    const masters = whole.findings.filter(({ seen }) => seen.includes(", master, up for"));
    expect(whole.of("redis cluster")).toMatchObject([{ status: "ok", seen: expect.stringContaining("3 masters") }]);
    expect(masters).toHaveLength(3);
    expect(whole.findings.filter(({ check, status }) => check.startsWith("redis") && status === "problem")).toEqual([]);
    // Most of the masters: nobody is left to vote for their replicas.
    const [first] = servers.nodes;
    await Promise.all(
      servers.nodes
        .filter((node) => node !== first)
        .slice(0, 3)
        .map((node) => node.kill()),
    );
    // Until its nodes have missed them the cluster says that it is whole.
    await vi.waitFor(
      async () => expect(String(await first?.command("CLUSTER", "INFO"))).toContain("cluster_state:fail"),
      { timeout: 60_000, interval: 200 },
    );
    const broken = await doctor({ REDIS_URL: servers.directUrl });
    expect(broken.code).toBe(1);
    // Which check says so depends on how far the client gets.
    const problems = broken.findings.filter(({ check, status }) => check.startsWith("redis") && status === "problem");
    expect(problems).not.toEqual([]);
    expect(broken.of("postgres").map(({ status }) => status)).not.toContain("problem");
  } finally {
    await servers.close();
  }
}, 180_000);

test("Sentinels are asked for their quorum, and the primary that they name is examined", async () => {
  const servers = await startFaultyRedis("sentinel");
  try {
    const whole = await doctor({ REDIS_URL: servers.directUrl });
    expect(whole.of("redis sentinels")).toMatchObject([{ status: "ok", seen: expect.stringContaining("quorum") }]);
    expect(whole.of("redis").filter(({ status }) => status === "problem")).toEqual([]);
    expect(
      whole
        .of("redis")
        .map(({ seen }) => seen)
        .join(),
    ).toMatch(/, master, up for/);
    await Promise.all(servers.sentinels.slice(0, 2).map((sentinel) => sentinel.kill()));
    const broken = await doctor({ REDIS_URL: servers.directUrl });
    expect(broken.of("redis sentinels").map(({ status }) => status)).not.toContain("ok");
  } finally {
    await servers.close();
  }
}, 180_000);
