// `npm run drill`: backs a deployment up, loses its Postgres, restores it, and counts what is there again. On servers of its own
// that go with it, with the pg_basebackup, pg_dump and pg_restore that are found on the PATH and the server beside them.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lane, LANES, stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { encodeEntry, ENTRY_FIELD } from "@dynamo-csms/proto/stream-entry";
import { Redis } from "ioredis";
import pg from "pg";
import { FOLDERS } from "../folders.ts";
import { type PostgresServer, startPostgres } from "../postgres-server.ts";
import { startTestRedis } from "../test-servers.ts";
import { unprivilegedUser } from "../unprivileged-user.ts";

/** Messages before the backup, and as many after it. */
const HALF = 50;
const LANE = "drill";
const EPOCH = Date.now();
const DEADLINE_MS = 60_000;

const say = (text: string) => console.log(text);
const folder = mkdtempSync(join(tmpdir(), "restore-drill-"));
execFileSync("chmod", ["755", folder]);
const home = installedPostgres();
const runAs = unprivilegedUser();
const redisServer = await startTestRedis({ appendOnly: true });
const redis = new Redis(redisServer.url);
let postgres = await startAt("first");
let intake: ChildProcess | undefined;

async function drill(): Promise<void> {
  await query(postgres.url, "create database drill");
  run("migrate", []);
  say(`Postgres ${await one("show server_version")}, ${version("pg_basebackup")}, ${version("pg_dump")}`);
  run("cli", ["bootstrap", "--name", "Drill", "--contact-email", "drill@example.org"]);
  const file = join(folder, "stations.csv");
  run("cli", ["charge-points", "generate", "--count", "1", "--ocpp", "1.6", "--accepted", "--out", file]);
  const [identity = ""] = (readFileSync(file, "utf8").split("\n")[1] ?? "").split(",");
  intake = start("intake");

  await write(identity, 1, HALF);
  await applied(HALF);
  say(`before the backup: ${await counted()}`);
  const base = join(folder, "base");
  tool("pg_basebackup", ["--dbname", postgres.url, "--pgdata", base, "--wal-method=stream", "--checkpoint=fast"]);
  const dump = join(folder, "drill.dump");
  tool("pg_dump", ["--format=custom", "--file", dump, databaseUrl()]);
  await write(identity, HALF + 1, 2 * HALF);
  await applied(2 * HALF);
  say(`when Postgres is lost: ${await counted()}`);

  await stopIntake();
  await postgres.stop("SIGKILL", 20_000);
  cpSync(base, join(folder, "second"), { recursive: true });
  ownedBy(join(folder, "second"));
  postgres = await startAt("second");
  say(`pg_basebackup restored: ${await counted()}`);
  await replayed();

  await stopIntake();
  await postgres.stop("SIGKILL", 20_000);
  postgres = await startAt("third");
  await query(postgres.url, "create database drill");
  tool("pg_restore", ["--exit-on-error", "--dbname", databaseUrl(), dump]);
  say(`pg_dump restored into an empty server: ${await counted()}`);
  await replayed();

  await stopIntake();
  await redisServer.kill();
  await redisServer.restart();
  say(`Redis killed and started again: its append-only file has ${await redis.xlen(lane(LANE))} entries of the lane`);
  await redis.flushall();
  say(`Redis empty: ${run("cli", ["registry", "rebuild"])}`);
  if ((await redis.exists(stationRecord(identity as StationIdentity))) !== 1)
    throw new Error("the registry is not back");
}

async function stopIntake(): Promise<void> {
  const ending = intake;
  intake = undefined;
  if (ending === undefined) return;
  ending.kill("SIGTERM");
  await new Promise((resolve) => ending.once("exit", resolve));
}

/** The intake brings back what the backup lacks, out of the lane. */
async function replayed(): Promise<void> {
  intake = start("intake");
  await applied(2 * HALF);
  say(`  after the intake has read its lanes: ${await counted()}`);
  const [rows, gaps] = [await one("select count(*) from message_log"), await one("select count(*) from lane_gaps")];
  if (Number(rows) !== 2 * HALF || Number(gaps) !== 0) throw new Error("something is missing, or there twice");
}

const databaseUrl = () => Object.assign(new URL(postgres.url), { pathname: "/drill" }).href;

async function counted(): Promise<string> {
  return `${await one("select count(*) from message_log")} messages in Postgres, offset ${await one(`select "offset" from lanes`)}, ${await one("select count(*) from lane_gaps")} gaps; ${await redis.xlen(lane(LANE))} entries in Redis`;
}

async function write(identity: string, first: number, last: number): Promise<void> {
  await redis.hset(LANES, LANE, JSON.stringify({ nodeId: "drill", startedAtMs: EPOCH }));
  for (let n = first; n <= last; n += 1) {
    const status = { connectorId: 1, errorCode: "NoError", status: n % 2 === 0 ? "Available" : "Charging" };
    const frame = {
      kind: "inbound" as const,
      identity: identity as StationIdentity,
      version: "1.6" as const,
      epoch: EPOCH,
      seq: n,
      receivedAtMs: Date.now(),
      text: JSON.stringify([2, `m${n}`, "StatusNotification", status]),
      flagged: false,
    };
    await redis.xadd(lane(LANE), `${n}-0`, ENTRY_FIELD, encodeEntry([frame]));
  }
}

async function applied(last: number): Promise<void> {
  for (
    const until = Date.now() + DEADLINE_MS;
    (await one(`select "offset" from lanes`)) !== `${last}-0`;
    await sleep(200)
  )
    if (Date.now() > until) throw new Error(`the intake has not come to entry ${last}: ${await counted()}`);
}

async function query(url: string, text: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}
const one = async (text: string): Promise<string> => String((await query(databaseUrl(), text))[0]?.[0]);

const environment = () => ({
  PATH: process.env["PATH"],
  DATABASE_URL: databaseUrl(),
  REDIS_URL: redisServer.url,
  SECRETS_KEY: Buffer.alloc(32, 1).toString("base64"),
  STATION_PEPPERS: `p1:${Buffer.alloc(32, 2).toString("base64")}`,
  // As long as it may take from a backup to the end of the drill.
  REPLAY_WINDOW: "3600s",
  LOG_LEVEL: "error",
});
const program = (name: string) => [
  "--conditions=source",
  join(FOLDERS.root, `control-plane/processes/${name}/main.ts`),
];
const start = (name: string): ChildProcess =>
  spawn(process.execPath, program(name), { env: environment(), stdio: ["ignore", "inherit", "inherit"] });
const run = (name: string, args: string[]): string =>
  execFileSync(process.execPath, [...program(name), ...args], {
    env: environment(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

function tool(name: string, args: string[]): void {
  say(`$ ${name} ${args.map((arg) => arg.replace(/^(postgres:\/\/).*@[^/]*/, "$1…").replace(folder, "…")).join(" ")}`);
  execFileSync(join(home, "bin", name), args, { stdio: "inherit" });
}
const version = (name: string): string =>
  execFileSync(join(home, "bin", name), ["--version"], { encoding: "utf8" }).trim();

/** The folder with `bin/` of an installed Postgres: the one embedded here has no backup tools. */
function installedPostgres(): string {
  try {
    return dirname(execFileSync("pg_config", ["--bindir"], { encoding: "utf8" }).trim());
  } catch {
    throw new Error(
      "the drill needs an installed Postgres 15 or newer with its tools (Debian: postgresql), found by pg_config",
    );
  }
}

function ownedBy(path: string): void {
  if (runAs !== undefined) execFileSync("chown", ["-R", `${runAs.uid}:${runAs.gid}`, path]);
  execFileSync("chmod", ["700", path]);
}

function startAt(name: string): Promise<PostgresServer> {
  return startPostgres({
    binaries: home,
    runAs,
    dataDirectory: join(folder, name),
    logFile: join(folder, `${name}.log`),
    password: "drill",
    systemLocale: true,
    diesWithUs: true,
  });
}

try {
  await drill();
} finally {
  intake?.kill("SIGKILL");
  redis.disconnect();
  await redisServer.remove();
  await postgres.stop("SIGINT", 20_000);
  rmSync(folder, { recursive: true, force: true });
}
