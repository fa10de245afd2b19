// What the processes say of themselves while a server is away: never ready without being able to work, never dead because of an outage.

import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startTestPostgres, startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openOrm } from "../database.ts";
import { until } from "./intake-world.ts";
import { createEmptyDatabase, createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { selfSigned } from "./self-signed.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const NAMES = ["api", "decisions", "intake", "jobs"] as const;
type Name = (typeof NAMES)[number];

/** Four processes start in each test, on a machine that may be busy. */
const PATIENCE_MS = 240_000;

let redis: TestServer;
let postgres: TestServer;
let database: OwnDatabase;
let env: Record<string, string | undefined>;
const children: ChildProcess[] = [];
beforeAll(async () => {
  [redis, postgres] = await Promise.all([startTestRedis({ appendOnly: true }), startTestPostgres()]);
  database = await createOwnDatabase(postgres.url);
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
  env = {
    PATH: process.env["PATH"],
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SECRETS_KEY: Buffer.alloc(32, 7).toString("base64"),
    STATION_PEPPERS: `p1:${Buffer.alloc(32, 9).toString("base64")}`,
    PUBLIC_API_URL: "https://api.example.org",
    PUBLIC_OCPP_URL: "wss://ocpp.example.org",
    JWT_SIGNING_KEY: key,
    PDF_SIGNING_KEY: key,
    PDF_SIGNING_CERT: await selfSigned(key),
    SMTP_URL: "smtp://127.0.0.1:1",
    API_PORT: "0",
    DECISIONS_PORT: "0",
  };
});
afterEach(async () => {
  signalPostgres("SIGCONT");
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await new Promise((resolve) =>
      (child.exitCode ?? child.signalCode) === null ? child.once("close", resolve) : resolve(0),
    );
  }
});
afterAll(async () => {
  await database.drop();
  await Promise.all([redis.remove(), postgres.remove()]);
});

/** All of Postgres: its backends are processes of their own, and go on when the first one is stopped. */
function signalPostgres(signal: "SIGSTOP" | "SIGCONT"): void {
  process.kill(postgres.pid(), signal);
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    if (parentOf(pid) === postgres.pid()) process.kill(Number(pid), signal);
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    // Ended meanwhile.
    return undefined;
  }
}

interface Health {
  live: number;
  ready: number;
  checks: Record<string, boolean>;
}

/** Starts it; `health` asks both probes as an orchestrator does, with its patience. */
async function start(name: Name, more: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--conditions=source", `control-plane/processes/${name}/main.ts`], {
    cwd: ROOT,
    env: { ...env, ...more },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const internalPort = await new Promise<number>((resolve, reject) => {
    createInterface(child.stdout as NodeJS.ReadableStream).on("line", (line) => {
      const entry = JSON.parse(line) as { msg: string; internalPort?: number };
      if (entry.msg === "ready") resolve(entry.internalPort as number);
    });
    child.once("close", (code) => reject(new Error(`${name} ended with ${String(code)}`)));
  });
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${internalPort}${path}`, { signal: AbortSignal.timeout(5_000) });
  return {
    name,
    async health(): Promise<Health> {
      const [live, ready] = await Promise.all([ask("/livez"), ask("/readyz")]);
      const { checks } = (await ready.json()) as { checks: Record<string, boolean> };
      return { live: live.status, ready: ready.status, checks };
    },
    async metric(metricName: string): Promise<string | undefined> {
      return (await (await ask("/metrics")).text()).split("\n").find((line) => line.startsWith(`${metricName} `));
    },
  };
}
type Started = Awaited<ReturnType<typeof start>>;

const states = async (all: readonly Started[]) =>
  Object.fromEntries(
    await Promise.all(
      all.map(async (one) => {
        const { live, ready } = await one.health();
        return [one.name, [live, ready]] as const;
      }),
    ),
  );
const become = (all: readonly Started[], wanted: Record<Name, number>) =>
  until(async () =>
    Object.entries(await states(all)).every(([name, [live, ready]]) => live === 200 && ready === wanted[name as Name]),
  );
const everyone = (status: number): Record<Name, number> => ({
  api: status,
  decisions: status,
  intake: status,
  jobs: status,
});

test(
  "[A13] [A15] a Postgres that stands still makes no process hang, none dead, and none ready; it goes on by itself",
  async () => {
    const all = await Promise.all(NAMES.map((name) => start(name)));
    await become(all, everyone(200));
    signalPostgres("SIGSTOP");
    await become(all, everyone(503));
    // As often as an orchestrator would in a while: no probe takes a connection for itself.
    for (let i = 0; i < 5; i += 1)
      expect(await states(all)).toEqual(Object.fromEntries(NAMES.map((name) => [name, [200, 503]])));
    expect(await all[0]?.metric("dynamo_ready")).toBe("dynamo_ready 0");
    signalPostgres("SIGCONT");
    await become(all, everyone(200));
    expect(await all[0]?.metric("dynamo_ready")).toBe("dynamo_ready 1");
  },
  PATIENCE_MS,
);

test(
  "[A13] a Postgres that takes no writes is none that a process can work with",
  async () => {
    const all = await Promise.all(NAMES.map((name) => start(name)));
    await become(all, everyone(200));
    await database.pool.query("alter system set default_transaction_read_only = on");
    await database.pool.query("select pg_reload_conf()");
    await become(all, everyone(503));
    const client = await database.pool.connect();
    for (const statement of [
      "set default_transaction_read_only = off",
      "alter system reset default_transaction_read_only",
      "select pg_reload_conf()",
      "reset default_transaction_read_only",
    ])
      await client.query(statement);
    client.release();
    await become(all, everyone(200));
  },
  PATIENCE_MS,
);

test(
  "[A6] without Redis nobody is dead, and only those are ready that can do without",
  async () => {
    const all = await Promise.all(NAMES.map((name) => start(name)));
    await become(all, everyone(200));
    await redis.kill();
    await become(all, { api: 200, decisions: 200, intake: 503, jobs: 503 });
    await redis.restart();
    await become(all, everyone(200));
    redis.pause();
    await become(all, { api: 200, decisions: 200, intake: 503, jobs: 503 });
    redis.resume();
    await become(all, everyone(200));
  },
  PATIENCE_MS,
);

test(
  "an API that starts while Redis is away is ready, and can do without",
  async () => {
    const api = await start("api", { REDIS_URL: "redis://127.0.0.1:1" });
    expect(await api.health()).toEqual({ live: 200, ready: 200, checks: { postgres: true } });
  },
  PATIENCE_MS,
);

test(
  "a process on a database without its schema is not ready, and is once the migrations have run",
  async () => {
    const empty = await createEmptyDatabase(postgres.url);
    const all = await Promise.all(
      (["api", "decisions"] as const).map((name) => start(name, { DATABASE_URL: empty.url })),
    );
    expect(await states(all)).toEqual({ api: [200, 503], decisions: [200, 503] });
    const orm = await openOrm(empty.url, [], 1);
    await orm.migrator.up({ to: "0013-token-spellings" });
    expect(await states(all)).toEqual({ api: [200, 503], decisions: [200, 503] });
    await orm.migrator.up();
    await orm.close();
    await become(all, everyone(200));
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await empty.drop();
  },
  PATIENCE_MS,
);
