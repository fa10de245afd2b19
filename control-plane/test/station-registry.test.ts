import { stationRecord, unknownStation } from "@dynamo-csms/proto/redis-keys";
import { decodeStationRecord } from "@dynamo-csms/proto/station-record";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inTransaction, sqlOn } from "../database.ts";
import { rebuildRegistry, relayRegistryOutbox } from "../stations/registry-outbox.ts";
import { readRegistry, writeRegistryEntry } from "../stations/registry-record.ts";
import { requestRegistryWrite, writeRegistryNow } from "../stations/station-registry.ts";
import { tellDueDisconnects } from "../stations/tell-disconnects.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

let database: OwnDatabase;
let project: TestProject;
let redis: Redis;
beforeAll(async () => {
  database = await createOwnDatabase();
  project = await createProject(database.pool);
  redis = new Redis(process.env["TEST_REDIS_URL"] as string, { protocol: 2 });
});
afterAll(async () => {
  redis.disconnect();
  await database.drop();
});

const deps = () => ({ pool: database.pool, redis, heartbeatIntervalSeconds: 300 });
const stored = async (station: TestStation) => {
  const text = await redis.hget(stationRecord(station.identity), "record");
  return text === null ? undefined : decodeStationRecord(text);
};
const change = (station: TestStation, digest: string) =>
  inTransaction(database.pool, async (sql) => {
    await sql.query(
      `insert into station_verifiers (station_id, slot, digest, pepper_id, encoding) values ($1, 'current', $2, 'p1', 'literal')
       on conflict (station_id, slot) do update set digest = excluded.digest`,
      [station.id, Buffer.from(digest)],
    );
    await requestRegistryWrite(sql, station.id);
  });

test("a change is in Redis after the write, with its verifiers, and is not written again", async () => {
  const station = await registerStation(database.pool, project, "2.0.1");
  await redis.set(unknownStation(station.identity), "1");
  await change(station, "x".repeat(64));
  expect(await writeRegistryNow(deps(), station.id)).toBe(true);
  expect(await stored(station)).toMatchObject({
    orgId: project.orgId,
    chargePointId: station.chargePointId,
    verifiers: [{ digest: Buffer.from("x".repeat(64)).toString("base64"), pepperId: "p1", encoding: "literal" }],
    ocppVersions: ["2.0.1"],
    registration: "unknown",
    retired: false,
  });
  expect(await redis.exists(unknownStation(station.identity))).toBe(0);
  expect(await relayRegistryOutbox({ ...deps(), limit: 100 })).toBe(0);
});

test("what was not written at once, the relay writes", async () => {
  const station = await registerStation(database.pool, project, "1.6");
  await change(station, "a");
  expect(await relayRegistryOutbox({ ...deps(), limit: 100 })).toBe(1);
  expect((await stored(station))?.verifiers).toHaveLength(1);
  expect(await relayRegistryOutbox({ ...deps(), limit: 100 })).toBe(0);
});

test("a record that was read before a change never overwrites the one after it", async () => {
  const station = await registerStation(database.pool, project, "1.6");
  await change(station, "old");
  const [before] = await readRegistry(sqlOn(database.pool), [station.id], 300);
  await change(station, "new");
  await writeRegistryNow(deps(), station.id);
  await writeRegistryEntry(redis, before as NonNullable<typeof before>);
  expect((await stored(station))?.verifiers[0]?.digest).toBe(Buffer.from("new").toString("base64"));
});

test("without Redis the request stays in the outbox", async () => {
  const station = await registerStation(database.pool, project, "1.6");
  await change(station, "a");
  const nowhere = new Redis({
    port: 1,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  nowhere.on("error", () => {});
  expect(await writeRegistryNow({ ...deps(), redis: nowhere }, station.id)).toBe(false);
  expect(await relayRegistryOutbox({ ...deps(), limit: 100 })).toBe(1);
  expect(await stored(station)).toBeDefined();
});

test("a Redis that lost everything, or knows revisions of a later time, is rebuilt", async () => {
  const [lost, ahead] = [
    await registerStation(database.pool, project, "1.6"),
    await registerStation(database.pool, project, "1.6"),
  ];
  await change(ahead, "true");
  await redis.hset(stationRecord(ahead.identity), {
    rev: String(Date.now() - 1_000),
    record: JSON.stringify({ v: 1 }),
  });
  await database.pool.query("update stations set registry_rev = 1 where id = $1", [ahead.id]);
  // More than ten, so that ids as text are in another order than as numbers.
  const many = await Promise.all(Array.from({ length: 12 }, () => registerStation(database.pool, project, "1.6")));
  const { rows } = await database.pool.query<{ count: number }>("select count(*)::int as count from stations");
  expect(await rebuildRegistry({ ...deps(), pageSize: 2 })).toBe(rows[0]?.count);
  for (const one of many) expect((await stored(one))?.chargePointId).toBe(one.chargePointId);
  expect((await stored(lost))?.chargePointId).toBe(lost.chargePointId);
  expect((await stored(ahead))?.verifiers).toHaveLength(1);
});

test("a station that stays away is told once, and only after its time", async () => {
  const [gone, recent] = [
    await registerStation(database.pool, project, "1.6"),
    await registerStation(database.pool, project, "1.6"),
  ];
  for (const [station, due] of [
    [gone, "-1 s"],
    [recent, "30 s"],
  ] as const)
    await database.pool.query(
      `insert into station_connections (station_id, epoch, seq, node_id, remote_address, ocpp_version, opened_at, closed_at, close_reason, connected_told, disconnect_due_at)
       values ($1, 5, 2, 'n', '::1', '1.6', now(), '2026-05-01T10:00:00Z', 'no answer to ping', true, now() + $2::interval)`,
      [station.id, due],
    );
  expect(await tellDueDisconnects({ pool: database.pool, limit: 10 })).toBe(1);
  expect(await tellDueDisconnects({ pool: database.pool, limit: 10 })).toBe(0);
  const { rows } = await database.pool.query("select data from events where type = 'charge_point.disconnected'");
  expect(rows).toEqual([
    {
      data: {
        charge_point_id: gone.chargePointId,
        project_id: project.projectId,
        disconnected_at: "2026-05-01T10:00:00.000Z",
        reason: "no answer to ping",
      },
    },
  ]);
});
