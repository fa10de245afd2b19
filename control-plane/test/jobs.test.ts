// Durable work: rows in Postgres, wake-ups in Redis. What Redis forgets is found again, and Redis may be away.

import { randomUUID } from "node:crypto";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { Redis } from "ioredis";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import type { DurableWork } from "../jobs/durable-work.ts";
import { createJobMetrics } from "../jobs/job-metrics.ts";
import { createJobRunner } from "../jobs/job-runner.ts";
import { createPeriodicSweeps } from "../jobs/periodic-sweeps.ts";
import { createWakeUps, type WakeUpProducer } from "../jobs/wake-ups.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";

let redisServer: TestServer;
let database: OwnDatabase;
const log = pino({ level: "silent" });
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  [redisServer, database] = await Promise.all([startTestRedis(), createOwnDatabase()]);
  await database.pool.query(
    "create table work_rows (id text primary key, due_at timestamptz, runs integer not null default 0)",
  );
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(async () => {
  await redisServer.remove();
  await database.drop();
});

/** Work on rows of work_rows: each run does one row once, under its lock. */
function rowWork(name: string, during: (id: string) => Promise<void> = async () => {}): DurableWork {
  return {
    name,
    concurrency: 4,
    async run(id) {
      await during(id);
      await database.pool.query(
        "update work_rows set runs = runs + 1, due_at = null where id = $1 and due_at <= now()",
        [id],
      );
    },
    async due(limit) {
      const { rows } = await database.pool.query<{ id: string }>(
        "select id from work_rows where due_at <= now() and id like $1 order by due_at limit $2",
        [`${name}%`, limit],
      );
      return rows.map((row) => row.id);
    },
  };
}

function startRunner(
  work: DurableWork,
  { prefix = `{test:${randomUUID()}}`, sweepMs = 200 } = {},
): { wakeUps: WakeUpProducer; prefix: string; healthy(): boolean; stop(): Promise<void> } {
  const target = parseRedisTarget(redisServer.url);
  const redis = connectRedis(target, "commands", { connectionName: "test", log });
  const workerRedis = connectRedis(target, "blocking", { connectionName: "test", log });
  const wakeUps = createWakeUps({ redis, prefix, log });
  const runner = createJobRunner({
    works: [work],
    wakeUps,
    redis: workerRedis,
    prefix,
    sweepMs,
    metrics: createJobMetrics(new Registry()),
    log,
  });
  runner.start();
  const stop = async () => {
    await runner.stop();
    await wakeUps.close();
    redis.disconnect();
    workerRedis.disconnect();
  };
  stops.push(stop);
  return { wakeUps, prefix, healthy: () => runner.healthy(), stop };
}

const newName = () => `work-${randomUUID().slice(0, 8)}`;
async function newRow(name: string, due = "0 seconds"): Promise<string> {
  const id = `${name}-${randomUUID()}`;
  await database.pool.query("insert into work_rows (id, due_at) values ($1, now() + $2::interval)", [id, due]);
  return id;
}
const runsOf = async (id: string) =>
  (await database.pool.query<{ runs: number }>("select runs from work_rows where id = $1", [id])).rows[0]?.runs;
const UNTIL = { timeout: 20_000, interval: 20 };

test("a wake-up runs its row, without waiting for a sweep", async () => {
  const name = newName();
  const { wakeUps } = startRunner(rowWork(name), { sweepMs: 3_600_000 });
  const id = await newRow(name);
  await expect.poll(() => (wakeUps.wake(name, id), runsOf(id)), UNTIL).toBe(1);
});

test("a row that nobody woke is found by the sweep", async () => {
  const name = newName();
  const id = await newRow(name);
  startRunner(rowWork(name));
  await expect.poll(() => runsOf(id), UNTIL).toBe(1);
});

test("a delayed wake-up comes when the row is due", async () => {
  const name = newName();
  const { wakeUps } = startRunner(rowWork(name));
  const id = await newRow(name, "400 milliseconds");
  wakeUps.wake(name, id, 400);
  await expect.poll(() => runsOf(id), UNTIL).toBe(1);
});

test("two processes, many wake-ups: the row's effect happens once", async () => {
  const name = newName();
  const first = startRunner(rowWork(name));
  startRunner(rowWork(name), { prefix: first.prefix });
  const ids = await Promise.all(Array.from({ length: 20 }, () => newRow(name)));
  for (const id of ids) for (let i = 0; i < 5; i += 1) first.wakeUps.wake(name, id);
  await expect.poll(async () => (await Promise.all(ids.map(runsOf))).every((runs) => runs === 1), UNTIL).toBe(true);
});

test("a run that throws is repeated, and holds up no other row", async () => {
  const name = newName();
  let faults = 2;
  const bad = await newRow(name);
  startRunner(
    rowWork(name, async (id) => {
      if (id === bad && (faults -= 1) >= 0) throw new Error("a fault");
    }),
  );
  const good = await newRow(name);
  await expect.poll(() => runsOf(good), UNTIL).toBe(1);
  await expect.poll(() => runsOf(bad), UNTIL).toBe(1);
});

test("[A9] work that begins while Redis takes no writes is done once it takes them", async () => {
  const name = newName();
  const admin = new Redis(redisServer.url);
  await admin.config("SET", "maxmemory", "1");
  const id = await newRow(name);
  const { wakeUps } = startRunner(rowWork(name));
  const probe = () => wakeUps.wake(name, id);
  await expect
    .poll(
      () => (
        probe(),
        admin.set("x", "y").then(
          () => "taken",
          () => "refused",
        )
      ),
      UNTIL,
    )
    .toBe("refused");
  expect(await runsOf(id)).toBe(0);
  await admin.config("SET", "maxmemory", "0");
  admin.disconnect();
  await expect.poll(() => runsOf(id), UNTIL).toBe(1);
});

test("Redis is killed and comes back empty: what fell due meanwhile is done then", async () => {
  const name = newName();
  const { wakeUps } = startRunner(rowWork(name));
  const before = await newRow(name);
  await expect.poll(() => runsOf(before), UNTIL).toBe(1);
  await redisServer.kill();
  const meanwhile = await newRow(name);
  // Neither throws nor waits.
  wakeUps.wake(name, meanwhile);
  await redisServer.restart();
  await expect.poll(() => runsOf(meanwhile), UNTIL).toBe(1);
});

test("a process stops in order although Redis is away", async () => {
  const name = newName();
  const runner = startRunner(rowWork(name));
  const id = await newRow(name);
  await expect.poll(() => runsOf(id), UNTIL).toBe(1);
  await redisServer.kill();
  try {
    await runner.stop();
  } finally {
    await redisServer.restart();
    stops.pop();
  }
});

test("a runner is healthy while it works, and not before it began nor after it ended", async () => {
  const name = newName();
  const { healthy, stop } = startRunner(rowWork(name));
  expect(healthy()).toBe(true);
  stops.pop();
  await stop();
  expect(healthy()).toBe(false);
});

test("a periodic sweep runs in one process at a time, and goes on after a fault", async () => {
  let running = 0;
  let most = 0;
  let runs = 0;
  const sweep = {
    name: newName(),
    everyMs: 10,
    async run() {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
      if ((runs += 1) === 3) throw new Error("a fault");
    },
  };
  const metrics = createJobMetrics(new Registry());
  const both = [0, 1].map(() => createPeriodicSweeps({ pool: database.pool, sweeps: [sweep], metrics, log }));
  for (const sweeps of both) sweeps.start();
  await expect.poll(() => runs, UNTIL).toBeGreaterThan(10);
  await Promise.all(both.map((sweeps) => sweeps.stop()));
  expect(most).toBe(1);
});
