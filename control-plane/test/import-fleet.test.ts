// `charge-points import` of a fleet that is larger than a batch, broken off and gone on with, as operators run it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject } from "./registered-station.ts";

const MAIN = fileURLToPath(new URL("../processes/cli/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-import-"));
const HEADING = "identity,password,ocpp_version,serial_number";
const UNITS = 2_500;

let database: OwnDatabase;
let redisServer: TestServer;
let redis: Redis;
let orgId: string;
let projectId: string;
beforeAll(async () => {
  [database, redisServer] = await Promise.all([createOwnDatabase(), startTestRedis()]);
  redis = new Redis(redisServer.url);
  const project = await createProject(database.pool);
  ({ orgId, projectId } = project);
});
afterAll(async () => {
  redis.disconnect();
  await redisServer.remove();
  await database.drop();
  rmSync(folder, { recursive: true });
});

function importFleet(flags: string) {
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--conditions=source", MAIN, "charge-points", "import", ...flags.split(" ")],
    {
      cwd: folder,
      encoding: "utf8",
      env: {
        DATABASE_URL: database.url,
        REDIS_URL: redisServer.url,
        SECRETS_KEY: Buffer.alloc(32, 7).toString("base64"),
        STATION_PEPPERS: `p1:${Buffer.alloc(32, 9).toString("base64")}`,
      },
    },
  );
  return { status, stderr };
}

const path = (name: string) => join(folder, name);
const write = (name: string, rows: readonly string[]) => writeFileSync(path(name), [HEADING, ...rows, ""].join("\n"));
const outLines = (name: string) => readFileSync(path(name), "utf8").trim().split("\n").slice(1);
const unit = (n: number) => `Depot-${n},pa55word-of-unit-${n},${n % 3 === 0 ? "2.0.1" : "1.6"},SN-${n}`;
const registered = async () =>
  Number((await database.pool.query(`select count(*) as n from stations where org_id = $1`, [orgId])).rows[0].n);

test("an import that was broken off goes on where it was, and tells each line once", async () => {
  const rows = Array.from({ length: UNITS }, (_, n) => unit(n));
  // Somebody else has this identity: the second batch cannot be imported.
  write("other.csv", ["Depot-1500,pa55word-of-another,1.6,SN-other"]);
  expect(importFleet(`--org ${orgId} --file other.csv --out other.out.csv`)).toMatchObject({ status: 0 });
  write("fleet.csv", rows);
  const first = importFleet(`--org ${orgId} --project ${projectId} --file fleet.csv --out out.csv`);
  expect(first.status).toBe(2);
  expect(first.stderr).toContain("1,000 of 2,500 charge points imported");
  expect(first.stderr).toContain("line 1502: Depot-1500 (identity)");
  expect(outLines("out.csv")).toHaveLength(1_000);

  expect(importFleet(`--org ${orgId} --project ${projectId} --file fleet.csv --out out.csv`)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("out.csv exists: --resume goes on"),
  });

  // As when it was killed between the commit of a batch and its lines, in the middle of writing one.
  const text = readFileSync(path("out.csv"), "utf8");
  const cut = text.split("\n").slice(0, 701).join("\n");
  writeFileSync(path("out.csv"), `${cut}\n702,"Depot-7`);
  write("fleet.csv", rows.with(1_500, "Depot-1500-B,pa55word-of-unit-1500,1.6,SN-1500"));
  const second = importFleet(`--org ${orgId} --project ${projectId} --file fleet.csv --out out.csv --resume`);
  expect(second).toMatchObject({ status: 0, stderr: expect.stringContaining("2,500 of 2,500 charge points imported") });
  const lines = outLines("out.csv").map((line) => line.split(","));
  expect(lines.map(([line]) => Number(line))).toEqual(Array.from({ length: UNITS }, (_, n) => n + 2));
  expect(await registered()).toBe(UNITS + 1);
  const { rows: stored } = await database.pool.query(
    `select charge_point_id, identity_spelling from stations where org_id = $1 and project_id is not null`,
    [orgId],
  );
  const idOf = new Map(stored.map((row) => [row.identity_spelling, row.charge_point_id]));
  expect(lines.filter(([, identity = "", id]) => idOf.get(identity.slice(1, -1)) !== id)).toEqual([]);
  expect(await redis.exists(stationRecord("depot-2499" as StationIdentity))).toBe(1);

  // Nothing is left to do, and that is no mistake.
  expect(importFleet(`--org ${orgId} --project ${projectId} --file fleet.csv --out out.csv --resume`).status).toBe(0);
  expect(outLines("out.csv")).toHaveLength(UNITS);
});

test("going on takes for imported only what is registered exactly as the file says", async () => {
  write("again.csv", ["Depot-1,another-password-of-it,1.6,SN-1"]);
  expect(
    importFleet(`--org ${orgId} --project ${projectId} --file again.csv --out again.out.csv --resume`),
  ).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 2: Depot-1 (identity)"),
  });
  write("again.csv", [unit(1)]);
  expect(importFleet(`--org ${orgId} --file again.csv --out again.out.csv --resume`)).toMatchObject({ status: 2 });
  write("again.csv", ["Depot-new,pa55word-of-unit-new,1.6,SN-1"]);
  expect(
    importFleet(`--org ${orgId} --project ${projectId} --file again.csv --out again.out.csv --resume`),
  ).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 2: Depot-new (serial_number)"),
  });
});

test("mistakes are named by line and column, also what stands twice in the file", async () => {
  const before = await registered();
  write("bad.csv", [
    "Site-1,pa55word-of-unit-1,1.6,SN-A",
    "Site-2,short,1.6,SN-B",
    "SITE-1,pa55word-of-unit-2,1.7,SN-C",
    "site-1,pa55word-of-unit-3,1.6,SN-D",
    "Site-5,pa55word-of-unit-4,1.6,SN-A",
  ]);
  const { status, stderr } = importFleet(`--org ${orgId} --project ${projectId} --file bad.csv --out bad.out.csv`);
  expect(status).toBe(2);
  expect(stderr.trim().split("\n").slice(1)).toEqual([
    "line 3: password: is shorter than 16 bytes (--allow-weak takes it all the same)",
    "line 4: ocpp_version: want one of 1.6, 2.0.1, 2.1",
    "line 5: identity: stands in line 2 already",
    "line 6: serial_number: stands in line 2 already",
  ]);
  write("ragged.csv", ["Site-1,pa55word-of-unit-1"]);
  expect(importFleet(`--org ${orgId} --file ragged.csv --out ragged.out.csv`)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 2"),
  });
  expect(await registered()).toBe(before);
});
