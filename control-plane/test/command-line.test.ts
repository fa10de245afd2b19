// The examples of docs/cli.md, run as they stand there, and what they are for.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { digestPassword } from "@dynamo-csms/proto/station-password";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { type ConnectionAttempt, encodeAttempt } from "@dynamo-csms/proto/connection-attempt";
import { authorizationCache, stationRecord, UNKNOWN_ATTEMPTS } from "@dynamo-csms/proto/redis-keys";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { readTokenStatus } from "../authorization/token-status.ts";
import { connectionOf } from "./lane-double.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation } from "./registered-station.ts";

const MAIN = fileURLToPath(new URL("../processes/cli/main.ts", import.meta.url));
const DOCUMENT = readFileSync(fileURLToPath(new URL("../../docs/cli.md", import.meta.url)), "utf8");
const EXAMPLES = [...DOCUMENT.matchAll(/^npm run -s cli -- (.+)$/gm)].map((match) => match[1] as string);
const folder = mkdtempSync(join(tmpdir(), "command-line-"));

let database: OwnDatabase;
let redisServer: TestServer;
let redis: Redis;
beforeAll(async () => {
  [database, redisServer] = await Promise.all([createOwnDatabase(), startTestRedis()]);
  redis = new Redis(redisServer.url);
});
afterAll(async () => {
  redis.disconnect();
  await redisServer.remove();
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** @param line what follows `npm run -s cli --` in a shell */
function cli(line: string) {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", `"$NODE" --conditions=source "$MAIN" ${line}`], {
    cwd: folder,
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      NODE: process.execPath,
      MAIN,
      DATABASE_URL: database.url,
      REDIS_URL: redisServer.url,
      SECRETS_KEY: Buffer.alloc(32, 7).toString("base64"),
      STATION_PEPPERS: `p1:${Buffer.alloc(32, 9).toString("base64")}`,
    },
  });
  const answers = stdout
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text) as Record<string, unknown>);
  return { status, answers, stderr };
}

const tokenStatus = async (orgId: unknown, token: string) =>
  (await readTokenStatus(sqlOn(database.pool), String(orgId), token)).status;

/** What the document's examples with ids are about. */
async function setAside(): Promise<void> {
  const station = await registerStation(database.pool, await createProject(database.pool), "1.6");
  const heartbeat = connectionOf(station, "1.6", 1_700_000_000_000).call("Heartbeat", {});
  for (const [id, frame] of [
    ["1", heartbeat],
    ["2", { entry_base64: "AAAA" }],
  ] as const)
    await database.pool.query(
      `insert into dead_letters (public_id, lane_id, entry_id, frame_index, identity, frame, reason) values ($1, 'lane', $2, 0, $3, $4, 'test')`,
      [`dl_${id.padStart(32, "0")}`, `${id}-0`, "kind" in frame ? station.identity : "", JSON.stringify(frame)],
    );
  await database.pool.query(
    `insert into lane_gaps (lane_id, from_entry, to_entry) values ('gateway-1-mabc123-0a1b2c3d', '7-0', '9-0')`,
  );
}

test("every example runs, and every command has one", async () => {
  await setAside();
  const [, csv] = /```csv\n([^`]+)```/.exec(DOCUMENT) ?? [];
  writeFileSync(join(folder, "fleet.csv"), csv ?? "");
  // doctor prints no JSON unless it is asked to, and has a test of its own.
  const outcomes = EXAMPLES.filter((line) => line !== "doctor").map((line) => ({ line, ...cli(line) }));
  for (const { line, status, stderr } of outcomes) expect({ line, status, stderr }).toMatchObject({ status: 0 });
  const commands = [...cli("--help").stderr.matchAll(/^ {2}cli ([a-z- ]+?)(?: -| \[|$)/gm)].map((match) => match[1]);
  expect(commands).toHaveLength(18);
  for (const command of commands) expect(EXAMPLES.filter((line) => line.startsWith(`${command}`))).not.toEqual([]);

  const answersTo = (start: string) => outcomes.find(({ line }) => line.startsWith(start))?.answers;
  expect(answersTo("dead-letters list")).toMatchObject([{ kind: "damaged_entry" }, { action: "Heartbeat", tries: 0 }]);
  expect(answersTo("dead-letters show")).toMatchObject([{ text: expect.stringContaining('"Heartbeat"') }]);
  expect(answersTo("dead-letters replay --id")).toEqual([{ applied: 1, failing: 0 }]);
  expect(answersTo("dead-letters replay --all")).toEqual([{ applied: 0, failing: 0 }]);
  expect(answersTo("lanes gaps")).toMatchObject([{ from_entry: "7-0", to_entry: "9-0", acknowledged_at: null }]);
  expect(answersTo("lanes acknowledge-gaps")).toMatchObject([{ acknowledged: 1 }]);

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
  const orgId = cli("bootstrap --name Again --contact-email ops@example.org").answers[0]?.["org_id"];
  expect(await tokenStatus(orgId, "CARD-1")).toBe("Invalid");
  expect(cli("id-tokens add --token Card-1").answers).toMatchObject([{ token: "Card-1", added: true }]);
  expect(await tokenStatus(orgId, "CARD-1")).toBe("Accepted");

  const cache = authorizationCache(String(orgId));
  await redis.hset(cache, { "card-1": '{"status":"Accepted"}', "card-2": '{"status":"Accepted"}' });
  expect(cli("id-tokens add --token CARD-1 --status Blocked").answers).toMatchObject([
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
  ["dead-letters list --status broken", "--status"],
  ["dead-letters list --since yesterday", "--since"],
  ["dead-letters show --id dl_nothing", "dl_nothing"],
  ["dead-letters replay", "--all"],
  ["dead-letters replay --all --id dl_nothing", "--all"],
  ["dead-letters discard --id dl_nothing", "--why"],
  ["lanes acknowledge-gaps --lane nowhere --why x", "nowhere"],
  ["doctor -o xml", "--output"],
])("%s is a mistake, and %s is named", (line, named) => {
  expect(cli(line)).toMatchObject({ status: 2, answers: [], stderr: expect.stringContaining(named) });
});

test("a Redis that lost everything has every station's record again after a rebuild", async () => {
  const station = await registerStation(database.pool, await createProject(database.pool), "1.6");
  await redis.flushall();
  expect(cli("registry rebuild")).toMatchObject({ status: 0, answers: [{ stations: 104 }] });
  const record = await redis.hget(stationRecord(station.identity), "record");
  expect(JSON.parse(record ?? "{}")).toMatchObject({ chargePointId: station.chargePointId, ocppVersions: ["1.6"] });
});

test("an imported unit has its own identity and password, and a file with a mistake imports nothing", async () => {
  const lines = (name: string, ...rows: string[]) =>
    writeFileSync(join(folder, name), ["identity,password,ocpp_version,password_encoding", ...rows, ""].join("\n"));
  const orgId = cli("bootstrap --name Again --contact-email ops@example.org").answers[0]?.["org_id"];
  lines(
    "good.csv",
    "Depot-B-1,0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF,1.6,hexDecoded",
    "Depot-B-2,pa55word-of-old-unit,2.0.1,",
  );
  expect(cli(`charge-points import --org ${orgId} --file good.csv --out good.out.csv`)).toMatchObject({ status: 0 });
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
  const bad = cli("charge-points import --file bad.csv --out bad.out.csv");
  expect(bad).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 3: password: is shorter than 16 bytes"),
  });
  expect(bad.stderr).toContain("line 4: ocpp_version");
  expect(await redis.exists(stationRecord("depot-c-1" as StationIdentity))).toBe(0);

  lines("taken.csv", "DEPOT-B-1,a-password-long-enough,1.6,");
  expect(cli(`charge-points import --org ${orgId} --file taken.csv --out taken.out.csv`)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 2: DEPOT-B-1"),
  });
});

test("a replay that still fails says so with its exit code, and shows what is of nobody", async () => {
  const [given] = cli("dead-letters list --status discarded").answers;
  expect(given).toMatchObject({ closed: { reason: "a test unit", by: expect.stringMatching(/^cli:/) } });
  const nobody = { id: "0", chargePointId: "", identity: "nobody" as StationIdentity };
  await database.pool.query(
    `insert into dead_letters (lane_id, entry_id, frame_index, identity, frame, reason) values ('lane', '3-0', 0, 'nobody', $1, 'test')`,
    [JSON.stringify(connectionOf(nobody, "1.6", 1).call("Heartbeat", {}))],
  );
  expect(cli("dead-letters replay --all --station nobody")).toMatchObject({
    status: 1,
    answers: [
      { outcome: "failing", reason: "Unusable: no station has this identity" },
      { applied: 0, failing: 1 },
    ],
  });
  expect(cli("dead-letters list --station NOBODY").answers).toMatchObject([
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
  expect(JSON.stringify(entries)).not.toMatch(/04a2b3c4d5e680|ops@example|card-1/i);
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
  expect(cli("connection-attempts unknown").answers).toEqual([
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
