import { afterAll, beforeAll, expect, test } from "vitest";
import { recordFrames } from "../message-log/record-frames.ts";
import { sqlOn } from "../database.ts";
import { keepPartitions, type PartitionedTable } from "../retention/time-partitions.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";

const LOG: PartitionedTable = { table: "message_log", column: "received_at", span: "day", keepDays: 30 };
const METERS: PartitionedTable = { table: "meter_values", column: "sampled_at", span: "month", keepDays: 365 };
const NOON = new Date("2026-05-01T12:00:00Z");

let database: OwnDatabase;
beforeAll(async () => {
  database = await createOwnDatabase();
});
afterAll(() => database.drop());

const log = (receivedAt: Date, seq: number) =>
  recordFrames(sqlOn(database.pool), [
    {
      stationId: "1",
      epoch: 1,
      seq,
      receivedAt,
      direction: "inbound",
      flagged: false,
      action: "MeterValues",
      messageId: "m",
      raw: "[]",
      answer: null,
    },
  ]);
async function rowsIn(table: string): Promise<number[]> {
  const { rows } = await database.pool.query<{ seq: number }>(`select seq from ${table} order by seq`);
  return rows.map((row) => row.seq);
}
async function partitions(): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent in ('message_log'::regclass, 'meter_values'::regclass) order by 1",
  );
  return rows.map((row) => row.name);
}

test("rows go to their day's partition; those that came before it move over; old days go; all of it as often as you like", async () => {
  await log(NOON, 1);
  await log(new Date("2019-01-01T00:00:00Z"), 2);
  for (let i = 0; i < 2; i += 1) await keepPartitions(database.pool, [LOG, METERS], NOON);
  expect(await partitions()).toEqual([
    "message_log_20260501",
    "message_log_20260502",
    "message_log_20260503",
    "message_log_20260504",
    "message_log_default",
    "meter_values_202605",
    "meter_values_default",
  ]);
  await log(new Date("2026-05-02T00:00:00Z"), 3);
  // A frame that a lane brings again is still the same row.
  await log(NOON, 1);
  expect([
    await rowsIn("message_log_20260501"),
    await rowsIn("message_log_20260502"),
    await rowsIn("message_log_default"),
  ]).toEqual([[1], [3], []]);

  await keepPartitions(database.pool, [LOG, METERS], new Date("2026-06-01T00:00:00Z"));
  expect(await partitions()).not.toContain("message_log_20260501");
  expect(await rowsIn("message_log")).toEqual([3]);
});

test("[1.6-clock] what a station says without a clock is kept as long as all else", async () => {
  const insert = (sampledAt: string, receivedAt: string) =>
    database.pool.query(
      "insert into meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, received_at) values (7, 0, $1, 1, 1, '{1}', $2)",
      [sampledAt, receivedAt],
    );
  await insert("1970-01-01T00:00:10Z", "2026-05-01T00:00:00Z");
  await insert("1970-01-01T00:00:20Z", "2024-05-01T00:00:00Z");
  await insert("2099-01-01T00:00:00Z", "2024-05-01T00:00:00Z");
  await keepPartitions(database.pool, [METERS], NOON);
  const { rows } = await database.pool.query("select sampled_at from meter_values where station_id = 7");
  expect(rows).toEqual([{ sampled_at: new Date("1970-01-01T00:00:10Z") }]);
});

test("a lock that is held too long puts it off, and leaves nothing half done", async () => {
  const blocker = await database.pool.connect();
  await blocker.query("begin");
  await blocker.query("lock table message_log_default in row exclusive mode");
  const before = await partitions();
  await expect(keepPartitions(database.pool, [LOG], new Date("2026-08-01T12:00:00Z"))).rejects.toThrow(/lock timeout/);
  expect(await partitions()).toEqual(before);
  await blocker.query("rollback");
  blocker.release();
  await keepPartitions(database.pool, [LOG], new Date("2026-08-01T12:00:00Z"));
  expect(await partitions()).toContain("message_log_20260801");
});
