import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { FaultyPostgres, Ways } from "../faults/contract.ts";
import { startFaultyPostgres } from "../faults/servers/faulty-postgres.ts";
import { startReplicatedPostgres, type ReplicatedPostgres } from "../faults/servers/replicated-postgres.ts";
import { startWays } from "../faults/servers/ways.ts";

let ways: Ways;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => void (ways = await startWays()));
afterAll(() => ways.close());
afterEach(async () => void (await Promise.all(open.splice(0).map((server) => server.close()))));

test("kill -9 loses nothing that was committed; the way breaks, and the judge's own address does not", async () => {
  const postgres = await started();
  await numbers(postgres, 1);
  await postgres.kill();
  await expect(numbers(postgres)).rejects.toThrow();
  await postgres.start();
  expect(await numbers(postgres)).toEqual([1]);
  await postgres.way.refuse();
  await expect(numbers(postgres)).rejects.toThrow();
  expect(await query(postgres.url, "select n from numbers")).toEqual([{ n: 1 }]);
});

test("a full disk: what needs room fails with 53100, what is there is read, and it works again with room", async () => {
  const postgres = await started();
  await numbers(postgres, 1);
  await postgres.fillDisk();
  const much = "insert into numbers select n from generate_series(2, 100000) n";
  await expect(query(postgres.proxiedUrl, much)).rejects.toMatchObject({ code: "53100" });
  expect(await numbers(postgres)).toEqual([1]);
  await postgres.freeDisk();
  await query(postgres.proxiedUrl, much);
  expect(await query(postgres.proxiedUrl, "select max(n) from numbers")).toEqual([{ max: 100_000 }]);
});

test("a standby that was promoted lacks what it did not get, at the same address", async (context) => {
  const postgres = await replicated(context.skip);
  await numbers(postgres, 1);
  await expect.poll(() => lag(postgres), { timeout: 20_000 }).toBe(0);
  await postgres.cutStandby();
  await numbers(postgres, 2);
  expect(await numbers(postgres)).toEqual([1, 2]);
  const { missingBytes } = await postgres.failOver();
  expect(missingBytes).toBeGreaterThan(0);
  expect(await numbers(postgres, 3)).toEqual([1, 3]);
  expect(await query(postgres.url, "select n from numbers order by n")).toEqual([{ n: 1 }, { n: 3 }]);
  await postgres.kill();
  await postgres.start();
  expect(await numbers(postgres)).toEqual([1, 3]);
});

test("a restore brings back the base backup and what was archived, up to a moment or to the end", async (context) => {
  const postgres = await replicated(context.skip);
  await numbers(postgres, 1);
  const backup = await postgres.takeBaseBackup();
  await numbers(postgres, 2);
  const moment = await archived(postgres);
  await numbers(postgres, 3);
  await archived(postgres);
  await numbers(postgres, 4); // lost with the machine, unless its segment was just archived
  await postgres.restore(backup);
  expect((await numbers(postgres)).filter((n) => n !== 4)).toEqual([1, 2, 3]);
  await postgres.restore(backup, moment);
  expect(await numbers(postgres, 5)).toEqual([1, 2, 5]);
});

async function started(): Promise<FaultyPostgres> {
  const postgres = await startFaultyPostgres({ ways });
  open.push(postgres);
  return postgres;
}

async function replicated(skip: (note: string) => never): Promise<ReplicatedPostgres> {
  const postgres = await startReplicatedPostgres({ ways });
  if ("reason" in postgres) return skip(postgres.reason);
  open.push(postgres);
  return postgres;
}

/** Adds one, where one is given, and reads all, as the control plane would: through the way. */
async function numbers(postgres: FaultyPostgres, added?: number): Promise<number[]> {
  if (added !== undefined)
    await query(
      postgres.proxiedUrl,
      `create table if not exists numbers (n int primary key); insert into numbers values (${added})`,
    );
  const rows = await query(postgres.proxiedUrl, "select n from numbers order by n");
  return rows.map((row) => row["n"] as number);
}

/** Bytes of the log that the standby has not replayed. */
async function lag(postgres: FaultyPostgres): Promise<number> {
  const sql = "select pg_wal_lsn_diff(pg_current_wal_flush_lsn(), replay_lsn)::int as bytes from pg_stat_replication";
  return Number((await query(postgres.url, sql))[0]?.["bytes"] ?? Infinity);
}

/** Waits until everything up to now is in the archive. Resolves to a moment after it. */
async function archived(postgres: FaultyPostgres): Promise<Date> {
  const moment = new Date();
  const [current] = await query(postgres.url, "select pg_walfile_name(pg_switch_wal()) as segment");
  const sql = "select last_archived_wal >= $1 as done from pg_stat_archiver";
  await expect
    .poll(async () => (await query(postgres.url, sql, [current?.["segment"]]))[0]?.["done"], { timeout: 20_000 })
    .toBe(true);
  return moment;
}

async function query(url: string, text: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {}); // the query tells
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
