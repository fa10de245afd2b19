import {
  type ReplicatedPostgres,
  startReplicatedPostgres,
} from "@dynamo-csms/local/faults/servers/replicated-postgres";
import { startWays } from "@dynamo-csms/local/faults/servers/ways";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { Redis } from "ioredis";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { migrate } from "../processes/migrate/migrate.ts";
import { drawTransactionId } from "../transactions/draw-transaction-id.ts";

type Ways = Awaited<ReturnType<typeof startWays>>;

let ways: Ways;
let redisServer: TestServer;
let redis: Redis;
let postgres: ReplicatedPostgres | { reason: string };
beforeAll(async () => {
  redisServer = await startTestRedis();
  redis = new Redis(redisServer.url);
  ways = await startWays();
  postgres = await startReplicatedPostgres({ ways });
}, 120_000);
afterAll(async () => {
  if (!("reason" in postgres)) await postgres.close();
  await ways.close();
  redis.disconnect();
  await redisServer.remove();
});

/** Each time on a connection of its own: a failover ends the former ones. */
async function draw(url: string, count: number): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const ids: number[] = [];
    while (ids.length < count) ids.push(await drawTransactionId(sqlOn(client), redis));
    return ids;
  } finally {
    await client.end();
  }
}

test("[A14] [E21] [1.6-ids] a standby that lacks the last ids, and a restored backup, give none of them again", async (context) => {
  if ("reason" in postgres) return context.skip(postgres.reason);
  const url = postgres.proxiedUrl;
  await migrate({ databaseUrl: url, waitMs: 0, log: pino({ level: "silent" }) });
  const backup = await postgres.takeBaseBackup();
  const given = await draw(url, 5);
  // An id by itself, while nothing is lost, leaves nothing out.
  expect(given).toEqual([1, 2, 3, 4, 5]);
  await postgres.cutStandby();
  // More than a sequence's log runs ahead by itself.
  given.push(...(await draw(url, 100)));
  await postgres.failOver();
  given.push(...(await draw(url, 100)));
  expect(Math.max(...given)).toBeLessThan(100_500);
  await postgres.restore(backup);
  given.push(...(await draw(url, 100)));
  expect(new Set(given).size).toBe(given.length);
}, 120_000);
