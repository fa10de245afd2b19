// The examples of docs/cli.md, run as they stand there, and what they are for.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { authorizationCache, stationRecord } from "@dynamo-csms/proto/redis-keys";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { readTokenStatus } from "../transactions/token-status.ts";
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

test("every example runs, and every command has one", () => {
  const outcomes = EXAMPLES.map((line) => ({ line, ...cli(line) }));
  for (const { line, status, stderr } of outcomes) expect({ line, status, stderr }).toMatchObject({ status: 0 });
  const commands = [...cli("--help").stderr.matchAll(/^ {2}cli ([a-z- ]+?)(?: -| \[|$)/gm)].map((match) => match[1]);
  expect(commands).toHaveLength(6);
  for (const command of commands) expect(EXAMPLES.filter((line) => line.startsWith(`${command}`))).not.toEqual([]);

  const list = outcomes.find(({ line }) => line === "id-tokens list");
  expect(list?.answers).toEqual([
    { token: "04a2b3c4d5e680", status: "Blocked", expires_at: null, group: null },
    { token: "04a2b3c4d5e681", status: "Accepted", expires_at: "2099-12-31T23:59:59Z", group: "fleet-7" },
  ]);
});

test("a token that is added is accepted from then on; changed, the gateways' cached status of it goes", async () => {
  const orgId = cli("bootstrap --name Again --contact-email ops@example.org").answers[0]?.["org_id"];
  expect(await tokenStatus(orgId, "CARD-1")).toBe("Invalid");
  expect(cli("id-tokens add --token Card-1").answers).toMatchObject([{ token: "card-1", added: true }]);
  expect(await tokenStatus(orgId, "CARD-1")).toBe("Accepted");

  const cache = authorizationCache(String(orgId));
  await redis.hset(cache, { "card-1": '{"status":"Accepted"}', "card-2": '{"status":"Accepted"}' });
  expect(cli("id-tokens add --token CARD-1 --status Blocked").answers).toMatchObject([
    { status: "Blocked", added: false },
  ]);
  expect(await tokenStatus(orgId, "card-1")).toBe("Blocked");
  expect(await redis.hkeys(cache)).toEqual(["card-2"]);
});

test.each([
  ["id-tokens add", "--token"],
  ["id-tokens add --token ' '", "--token"],
  [`id-tokens add --token ${"a".repeat(256)}`, "--token"],
  ["id-tokens add --token x --status accepted", "--status"],
  ["id-tokens add --token x --expires-at tomorrow", "--expires-at"],
  ["id-tokens add --token x --org org_nobody", "org_nobody"],
  ["registry", "Usage:"],
])("%s is a mistake, and %s is named", (line, named) => {
  expect(cli(line)).toMatchObject({ status: 2, answers: [], stderr: expect.stringContaining(named) });
});

test("a Redis that lost everything has every station's record again after a rebuild", async () => {
  const station = await registerStation(database.pool, await createProject(database.pool), "1.6");
  await redis.flushall();
  expect(cli("registry rebuild")).toMatchObject({ status: 0, answers: [{ stations: 101 }] });
  const record = await redis.hget(stationRecord(station.identity), "record");
  expect(JSON.parse(record ?? "{}")).toMatchObject({ chargePointId: station.chargePointId, ocppVersions: ["1.6"] });
});
