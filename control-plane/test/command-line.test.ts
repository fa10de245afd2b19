// The examples of docs/cli.md, run as they stand there, and what they are for.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { type ConnectionAttempt, encodeAttempt } from "@dynamo-csms/proto/connection-attempt";
import {
  authorizationCache,
  lane as laneKey,
  nodeLease,
  stationOwner,
  stationRecord,
  UNKNOWN_ATTEMPTS,
} from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { digestPassword } from "@dynamo-csms/proto/station-password";
import { encodeEntry, ENTRY_FIELD } from "@dynamo-csms/proto/stream-entry";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readTokenStatus } from "../authorization/token-status.ts";
import { sqlOn } from "../database.ts";
import { loadSigningKeys } from "../installers/signing-keys.ts";
import { COMMANDS } from "../processes/cli/commands.ts";
import { cliEnvironment, commandLineOn, JWT_KEY, makeExamples, startNodeDouble } from "./command-line-scene.ts";
import { until } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { createEmptyDatabase, createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation } from "./registered-station.ts";

const MAIN = fileURLToPath(new URL("../processes/cli/main.ts", import.meta.url));
const DOCUMENT = readFileSync(fileURLToPath(new URL("../../docs/cli.md", import.meta.url)), "utf8");
const EXAMPLES = [...DOCUMENT.matchAll(/^npm run -s cli -- (.+)$/gm)].map((match) => match[1] as string);
const LANE = "gateway-1-mabc123-0a1b2c3d";
const NODE = "gateway-1-0a1b2c3d";
const folder = mkdtempSync(join(tmpdir(), "command-line-"));

let database: OwnDatabase;
let redisServer: TestServer;
let redis: Redis;
let env: Record<string, string>;
let cli: ReturnType<typeof commandLineOn>;
beforeAll(async () => {
  [database, redisServer] = await Promise.all([createOwnDatabase(), startTestRedis()]);
  redis = new Redis(redisServer.url);
  env = cliEnvironment(database.url, redisServer.url);
  cli = commandLineOn(env);
  // Files in the examples are named as in the folder where somebody is.
  process.chdir(folder);
});
afterAll(async () => {
  redis.disconnect();
  await redisServer.remove();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const tokenStatus = async (orgId: unknown, token: string) =>
  (await readTokenStatus(sqlOn(database.pool), String(orgId), token)).status;

test("every example runs, and every command has one", async () => {
  const [, csv] = /```csv\n([^`]+)```/.exec(DOCUMENT) ?? [];
  writeFileSync("fleet.csv", csv ?? "");
  const [made] = (await cli(EXAMPLES.find((line) => line.startsWith("bootstrap")) as string)).answers;
  await makeExamples(database, String(made?.["org_id"]));
  await redis.xadd(laneKey(LANE), "4-0", ENTRY_FIELD, encodeEntry([]));
  await database.pool.query(`insert into lanes (id, node_id, "offset") values ($1, $2, '4-0')`, [LANE, NODE]);
  const node = await startNodeDouble(redisServer.url, NODE);

  // One that has no end, and doctor, have tests of their own. A second organisation is made last: the others need no --org.
  const isLast = (line: string) => line.startsWith("organizations create");
  const isFirst = (line: string) => /^(bootstrap|charge-points import)/.test(line);
  const lines = EXAMPLES.filter((line) => !/^(doctor|charge-points tail)/.test(line));
  const inOrder = lines.toSorted(
    (a, b) => Number(isLast(a)) - Number(isLast(b)) || Number(isFirst(b)) - Number(isFirst(a)),
  );
  const outcomes: ({ line: string } & Awaited<ReturnType<typeof cli>>)[] = [];
  for (const line of inOrder) {
    if (line.startsWith("charge-points disconnect"))
      await redis.hset(stationOwner("depot-a-001" as StationIdentity), { node: NODE, epoch: 1 });
    const outcome = { line, ...(await cli(line)) };
    outcomes.push(outcome);
    expect(outcome, outcome.stderr).toMatchObject({ line, status: 0 });
  }
  node.stop();
  for (const { name } of COMMANDS) expect(EXAMPLES.filter((line) => line.startsWith(name))).not.toEqual([]);
  expect(node.heard).toEqual(["close operator", "drain"]);
  expect(await redis.exists(nodeLease(NODE))).toBe(0);

  const answersTo = (start: string) => outcomes.find(({ line }) => line.startsWith(start))?.answers;
  expect(answersTo("dead-letters list")).toMatchObject([{ kind: "damaged_entry" }, { action: "Heartbeat", tries: 0 }]);
  expect(answersTo("dead-letters show")).toMatchObject([{ text: expect.stringContaining('"Heartbeat"') }]);
  expect(answersTo("dead-letters replay --id")).toEqual([{ applied: 1, failing: 0 }]);
  expect(answersTo("dead-letters replay --all")).toEqual([{ applied: 0, failing: 0 }]);
  expect(answersTo("lanes gaps")).toMatchObject([{ from_entry: "7-0", to_entry: "9-0", acknowledged_at: null }]);
  expect(answersTo("lanes acknowledge-gaps")).toMatchObject([{ acknowledged: 1 }]);
  expect(answersTo("lanes replay")).toEqual([{ lane_id: LANE, from_entry: "4-0", entries: 1, former_offset: "4-0" }]);
  expect(answersTo("charge-points list")).toHaveLength(3);
  const found = answersTo("charge-points list --offline --search acme") ?? [];
  expect(new Set(found.map(({ identity, online }) => `${String(identity)} ${String(online)}`))).toEqual(
    new Set(["DEPOT-A-001 false", "DEPOT-A-002 false"]),
  );
  expect(answersTo("charge-points show")).toMatchObject([
    { identity: "DEPOT-A-001", registration: "accepted", ocpp_endpoint: "wss://ocpp.example.com/ocpp/1.6/DEPOT-A-001" },
  ]);
  expect(answersTo("charge-points disconnect")).toMatchObject([{ status: "disconnected" }]);
  expect(answersTo("nodes drain")).toEqual([{ node_id: NODE, status: "drained" }]);
  expect(answersTo("api-keys revoke")).toMatchObject([{ status: "revoked" }]);
  expect(answersTo("projects assign")).toMatchObject([{ installer_id: "ins_1", status: "assigned" }]);
  expect(answersTo("webhooks deliveries")).toHaveLength(2);
  expect(answersTo("webhooks replay --id")).toEqual([{ replayed: 1 }]);
  expect(answersTo("webhooks replay --endpoint")).toEqual([{ replayed: 1 }]);
  expect(answersTo("migrate --pending")).toEqual([]);
  expect(answersTo("migrate")).toEqual([]);

  const list = outcomes.find(({ line }) => line === "id-tokens list");
  expect(list?.answers).toEqual([
    {
      token: "04A2B3C4D5E681",
      status: "Accepted",
      expires_at: "2099-12-31T23:59:59Z",
      group: "fleet-7",
      max_active: null,
    },
    { token: "04A2B3C4D5E680", status: "Blocked", expires_at: null, group: null, max_active: 1 },
  ]);
}, 240_000);

test("a token that is added is accepted from then on; changed, the gateways' cached status of it goes", async () => {
  const orgId = (await cli("bootstrap --name Again --contact-email ops@example.org")).answers[0]?.["org_id"];
  expect(await tokenStatus(orgId, "CARD-1")).toBe("Invalid");
  expect((await cli(`id-tokens add --token Card-1 --org ${orgId}`)).answers).toMatchObject([
    { token: "Card-1", added: true },
  ]);
  expect(await tokenStatus(orgId, "CARD-1")).toBe("Accepted");

  const cache = authorizationCache(String(orgId));
  await redis.hset(cache, { "card-1": '{"status":"Accepted"}', "card-2": '{"status":"Accepted"}' });
  expect((await cli(`id-tokens add --token CARD-1 --status Blocked --org ${orgId}`)).answers).toMatchObject([
    { token: "CARD-1", status: "Blocked", added: false },
  ]);
  expect(await tokenStatus(orgId, "card-1")).toBe("Blocked");
  // What is left of it says no status, and that nothing older may come back.
  const { "card-1": changed = "{}", ...others } = await redis.hgetall(cache);
  expect(JSON.parse(changed)).toEqual({ revision: expect.any(Number) });
  expect(Object.keys(others)).toEqual(["card-2"]);
});

test.each([
  ["id-tokens add", "--token"],
  ["id-tokens add --token ' '", "--token"],
  [`id-tokens add --token ${"a".repeat(256)}`, "--token"],
  ["id-tokens add --token x --status accepted", "--status"],
  ["id-tokens add --token x --expires-at tomorrow", "--expires-at"],
  ["id-tokens add --token x --max-active 0", "--max-active"],
  ["id-tokens add --token x --org org_nobody", "org_nobody"],
  ["registry", "Usage:"],
  ["charge-points show --id nobody", "connection-attempts unknown"],
  ["charge-points disconnect --id DEPOT-A-001", "not connected"],
  ["nodes drain --node gateway-9", "nodes list"],
  ["lanes replay --lane nowhere", "lanes list"],
  [`lanes replay --lane ${LANE} --from 2-0`, "before 4-0"],
  ["webhooks replay", "--endpoint"],
  ["webhooks replay --id whd_nothing", "webhooks deliveries"],
  ["api-keys revoke --id key_nothing", "api-keys list"],
  ["projects assign --project proj_nothing --installer-email x --org org_nobody", "org_nobody"],
  ["jwt rotate --out jwt-rotation", "1-previous-keys.pem: exists already"],
  ["dead-letters list --status broken", "--status"],
  ["dead-letters list --since yesterday", "--since"],
  ["dead-letters show --id dl_nothing", "dl_nothing"],
  ["dead-letters replay", "--all"],
  ["dead-letters replay --all --id dl_nothing", "--all"],
  ["dead-letters discard --id dl_nothing", "--why"],
  ["lanes acknowledge-gaps --lane nowhere --why x", "nowhere"],
  ["doctor -o xml", "--output"],
])("%s is a mistake, and %s is named", async (line, named) => {
  expect(await cli(line)).toMatchObject({ status: 2, answers: [], stderr: expect.stringContaining(named) });
});

test("a Redis that lost everything has every station's record again after a rebuild", async () => {
  const station = await registerStation(database.pool, await createProject(database.pool), "1.6");
  await redis.flushall();
  expect(await cli("registry rebuild")).toMatchObject({ status: 0, answers: [{ stations: 104 }] });
  const record = await redis.hget(stationRecord(station.identity), "record");
  expect(JSON.parse(record ?? "{}")).toMatchObject({ chargePointId: station.chargePointId, ocppVersions: ["1.6"] });
});

test("an imported unit has its own identity and password, and a file with a mistake imports nothing", async () => {
  const lines = (name: string, ...rows: string[]) =>
    writeFileSync(join(folder, name), ["identity,password,ocpp_version,password_encoding", ...rows, ""].join("\n"));
  const orgId = (await cli("bootstrap --name Again --contact-email ops@example.org")).answers[0]?.["org_id"];
  lines(
    "good.csv",
    "Depot-B-1,0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF,1.6,hexDecoded",
    "Depot-B-2,pa55word-of-old-unit,2.0.1,",
  );
  expect(await cli(`charge-points import --org ${orgId} --file good.csv --out good.out.csv`)).toMatchObject({
    status: 0,
  });
  const [, first] = readFileSync(join(folder, "good.out.csv"), "utf8").trim().split("\n");
  expect(first).toMatch(/^2,"Depot-B-1",cp_/);
  const record = JSON.parse((await redis.hget(stationRecord("depot-b-1" as StationIdentity), "record")) ?? "{}");
  const digest = digestPassword(Buffer.from("0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF", "hex"), Buffer.alloc(32, 9));
  expect(record).toMatchObject({
    identitySpelling: "Depot-B-1",
    verifiers: [{ digest: digest.toString("base64"), encoding: "hexDecoded" }],
    registration: "unknown",
  });

  lines(
    "bad.csv",
    "Depot-C-1,a-password-long-enough,1.6,",
    "Depot-C-2,short,1.6,",
    "depot-c-1,a-password-long-enough,9,",
  );
  const bad = await cli("charge-points import --file bad.csv --out bad.out.csv");
  expect(bad).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 3: password: is shorter than 16 bytes"),
  });
  expect(bad.stderr).toContain("line 4: ocpp_version");
  expect(await redis.exists(stationRecord("depot-c-1" as StationIdentity))).toBe(0);

  lines("taken.csv", "DEPOT-B-1,a-password-long-enough,1.6,");
  expect(await cli(`charge-points import --org ${orgId} --file taken.csv --out taken.out.csv`)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 2: DEPOT-B-1"),
  });
});

test("a replay that still fails says so with its exit code, and shows what is of nobody", async () => {
  const [given] = (await cli("dead-letters list --status discarded")).answers;
  expect(given).toMatchObject({ closed: { reason: "a test unit", by: expect.stringMatching(/^cli:/) } });
  const nobody = { id: "0", chargePointId: "", identity: "nobody" as StationIdentity };
  await database.pool.query(
    `insert into dead_letters (lane_id, entry_id, frame_index, identity, frame, reason) values ('lane', '3-0', 0, 'nobody', $1, 'test')`,
    [JSON.stringify(connectionOf(nobody, "1.6", 1).call("Heartbeat", {}))],
  );
  expect(await cli("dead-letters replay --all --station nobody")).toMatchObject({
    status: 1,
    answers: [
      { outcome: "failing", reason: "Unusable: no station has this identity" },
      { applied: 0, failing: 1 },
    ],
  });
  expect((await cli("dead-letters list --station NOBODY")).answers).toMatchObject([
    { charge_point_id: null, identity: "nobody", tries: 1, last_try: { reason: expect.stringContaining("Unusable") } },
  ]);
});

test("commands that change something stand in the audit log, and no token or address with them", async () => {
  const entries = await sqlOn(database.pool).query<{ action: string; outcome: string }>(
    `select action, outcome, request::text as request from audit_log where actor_kind = 'cli' order by at`,
  );
  expect(entries.map(({ action }) => action)).toContain("charge-points import");
  expect(entries.map(({ action }) => action)).not.toContain("id-tokens list");
  expect(entries).toContainEqual(expect.objectContaining({ action: "charge-points import", outcome: "refused" }));
  expect(JSON.stringify(entries)).not.toMatch(/04a2b3c4d5e680|ops@example|j\.doe|card-1/i);
});

test("attempts under ids that nobody registered are printed to whoever runs the deployment", async () => {
  const attempt: ConnectionAttempt = {
    v: 1,
    atMs: Date.parse("2026-05-01T10:30:05.120Z"),
    outcome: "unknown_identity",
    path: "/ocpp/1.6/SOMEBODY",
    subprotocols: "ocpp1.6",
    remoteAddress: "192.0.2.1",
    listener: 1,
    notes: [],
    nodeId: "gateway-0",
  };
  await redis.lpush(UNKNOWN_ATTEMPTS, encodeAttempt(attempt), "not JSON");
  expect((await cli("connection-attempts unknown")).answers).toEqual([
    {
      at: "2026-05-01T10:30:05.120Z",
      outcome: "unknown_identity",
      path: "/ocpp/1.6/SOMEBODY",
      subprotocols: "ocpp1.6",
      remote_address: "192.0.2.1",
      times: 1,
      listener: 1,
      detail: null,
      node_id: "gateway-0",
    },
  ]);
});

/** Runs it as a process of its own. */
function spawnCli(args: string[], more: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--conditions=source", MAIN, ...args], {
    env: { PATH: process.env["PATH"], ...env, ...more },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const told = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (told.stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (told.stderr += String(chunk)));
  const ended = new Promise<number | string | null>((resolve) =>
    child.once("close", (code, signal) => resolve(signal ?? code)),
  );
  return { child, told, ended };
}

test("a tail prints frames while they come, tokens and secrets masked, and ends well with Ctrl-C", async () => {
  const station = await registerStation(database.pool, await createProject(database.pool), "1.6");
  const { child, told, ended } = spawnCli(["charge-points", "tail", "--id", station.chargePointId, "-o", "table"]);
  await until(async () => told.stderr.includes("Ctrl-C ends it"));
  await database.pool.query(
    `insert into message_log (station_id, epoch, seq, received_at, direction, flagged, action, message_id, raw)
     values ($1, 1700000000000, 1, now(), 0, false, 'Authorize', 'm1', $2)`,
    [station.id, '[2,"m1","Authorize",{"idTag":"SECRET-CARD"}]'],
  );
  await until(async () => told.stdout.includes("\n"));
  child.kill("SIGINT");
  expect(await ended).toBe(0);
  expect(told.stdout).toMatch(/^\S+Z → Authorize \[2,"m1","Authorize",\{"idTag":"SE…RD"\}\]\n$/);
  expect(told.stdout).not.toContain("SECRET-CARD");
  expect(told.stderr).not.toMatch(/^\s+at /m);
});

test("whoever has read enough ends it without a word", async () => {
  const [first] = (await cli("organizations list")).answers;
  const { child, told, ended } = spawnCli(["charge-points", "list", "--org", String(first?.["org_id"])]);
  child.stdout.destroy();
  expect(await ended).toBe(0);
  expect(told).toEqual({ stdout: "", stderr: "" });
});

test("a server that is away is told in a line, with what to do and its own exit code", async () => {
  const without = (more: Record<string, string>) => commandLineOn({ ...env, ...more });
  const noPostgres = await without({ DATABASE_URL: "postgres://somebody:s3cret@127.0.0.1:1/db" })("organizations list");
  expect(noPostgres).toMatchObject({ status: 3, stdout: "", stderr: expect.stringContaining("doctor") });
  const noRedis = await without({ REDIS_URL: "redis://:s3cret@127.0.0.1:1" })("nodes list");
  expect(noRedis).toMatchObject({ status: 3, stdout: "", stderr: expect.stringContaining("REDIS_URL") });
  for (const { stderr } of [noPostgres, noRedis]) expect(stderr).not.toMatch(/s3cret|^\s+at /m);
});

test("a database without a schema is migrated by it, and until then told to be", async () => {
  const empty = await createEmptyDatabase();
  const on = commandLineOn({ ...env, DATABASE_URL: empty.url });
  expect(await on("organizations list")).toMatchObject({ status: 2, stderr: expect.stringContaining("`migrate`") });
  const pending = await on("migrate --pending");
  expect(pending.status).toBe(1);
  expect(pending.answers.length).toBeGreaterThan(10);
  expect((await on("migrate")).answers).toEqual([{ migrations: pending.answers.map(({ migration }) => migration) }]);
  expect(await on("migrate --pending")).toMatchObject({ status: 0, answers: [] });
  await empty.drop();
});

test("a new key of access tokens comes into use without a wrongful refusal: each step takes what the other signed", async () => {
  const read = (name: string) => readFileSync(join("jwt-rotation", name), "utf8");
  const former = await loadSigningKeys(JWT_KEY);
  const [one, two] = [
    await loadSigningKeys(JWT_KEY, read("1-previous-keys.pem")),
    await loadSigningKeys(read("2-signing-key.pem"), read("2-previous-keys.pem")),
  ];
  expect(one.current.kid).toBe(former.current.kid);
  expect(two.current.kid).not.toBe(former.current.kid);
  // While step 2 goes round, processes of both steps are at work.
  expect([...one.verifying.keys()]).toContain(two.current.kid);
  expect([...two.verifying.keys()]).toContain(former.current.kid);
});
