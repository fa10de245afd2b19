import { setTimeout as sleep } from "node:timers/promises";
import { startFaultyRedis } from "@dynamo-csms/local/faults/servers/faulty-redis";
import type { FaultyRedis } from "@dynamo-csms/local/faults/contract";
import { connectionReady, connectRedis, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { BULL_PREFIX, lane, laneLease } from "@dynamo-csms/proto/redis-keys";
import { ENTRY_FIELD } from "@dynamo-csms/proto/stream-entry";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createRateLimits, DEFAULT_RATE_LIMITS } from "../http/rate-limits.ts";
import { existingLanes } from "../intake/find-lanes.ts";
import { LaneReader } from "../intake/lane-reader.ts";
import { createJobMetrics } from "../jobs/job-metrics.ts";
import { createJobRunner } from "../jobs/job-runner.ts";
import { createWakeUps } from "../jobs/wake-ups.ts";

// What the control plane does with Redis, on a Redis Cluster whose masters fail.

const log = pino({ level: "silent" });
let servers: FaultyRedis;
let redis: RedisConnection;
const open = (purpose: "commands" | "blocking") =>
  connectRedis(parseRedisTarget(servers.directUrl), purpose, { connectionName: "test", log });

beforeAll(async () => {
  servers = await startFaultyRedis("cluster");
  redis = open("commands");
  await connectionReady(redis);
});
afterEach(async () => {
  for (const node of servers.nodes) {
    node.resume();
    await node.start();
  }
  await servers.healthy(60_000);
});
afterAll(async () => {
  redis.disconnect();
  await servers.close();
});

const LANE_IDS = Array.from({ length: 9 }, (_, at) => `lane-${at}`);

test("lanes that the registry lost are found on every master", async () => {
  for (const id of LANE_IDS) {
    await redis.xadd(lane(id), "1-0", ENTRY_FIELD, "entry");
    await redis.set(laneLease(id), `node-of-${id}`);
  }
  const masters = await Promise.all(LANE_IDS.map((id) => servers.masterOf(lane(id))));
  expect(new Set(masters).size).toBe(3);
  const found = await existingLanes(redis);
  expect(found.toSorted((a, b) => a.id.localeCompare(b.id))).toEqual(
    LANE_IDS.map((id) => ({ id, nodeId: `node-of-${id}` })),
  );
});

test.each(["killed", "stands still"])(
  "[A7] a lane is read on when its master %s, and the time that its Redis is up begins anew",
  async (fate) => {
    const id = `read-${fate}`;
    await redis.xadd(lane(id), "1-0", ENTRY_FIELD, "before");
    const reader = new LaneReader(open("blocking"), id);
    expect((await reader.read("0-0", 10, 1_000)).map((entry) => entry.id)).toEqual(["1-0"]);
    const master = await servers.masterOf(lane(id));
    const replicated = Number(await master.command("WAIT", "1", "5000"));
    expect(replicated).toBe(1);
    if (fate === "killed") await master.kill();
    else master.pause();
    const beganMs = performance.now();
    let written = false;
    for (let entries: string[] = []; entries.length === 0;) {
      written ||= await redis.xadd(lane(id), "2-0", ENTRY_FIELD, "after").then(
        () => true,
        (error: Error) => error.message.includes("equal or smaller"),
      );
      entries = (await reader.read("1-0", 10, 1_000).catch(() => [])).map((entry) => entry.id);
      if (entries.length > 0) expect(entries).toEqual(["2-0"]);
      else await sleep(50);
    }
    expect(reader.upForMs).toBeLessThan(performance.now() - beganMs);
    reader.close();
  },
);

test("[A7] jobs run again when the master of their queue was killed", async () => {
  const ran: string[] = [];
  const workerRedis = open("blocking");
  const wakeUps = createWakeUps({ redis, prefix: BULL_PREFIX, log });
  const runner = createJobRunner({
    works: [{ name: "test", concurrency: 1, run: async (id) => void ran.push(id), due: async () => [] }],
    wakeUps,
    redis: workerRedis,
    prefix: BULL_PREFIX,
    sweepMs: 500,
    metrics: createJobMetrics(new Registry()),
    log,
  });
  runner.start();
  const runs = (id: string) => expect.poll(() => (wakeUps.wake("test", id), ran), { timeout: 50_000 }).toContain(id);
  await runs("before");
  const master = await servers.masterOf(`${BULL_PREFIX}:test:wait`);
  await master.kill();
  await runs("after");
  await runner.stop();
  await wakeUps.close();
  workerRedis.disconnect();
});

test("limits are counted, whichever master has the counter", async () => {
  const limits = createRateLimits(redis, DEFAULT_RATE_LIMITS);
  for (let at = 0; at < 10; at++) {
    const { allowed } = await limits.attempt("loginAccount", `account-${at}`);
    expect(allowed).toBe(true);
  }
  const counters = await Promise.all(
    servers.nodes.map(async (node) => Number(((await node.command("KEYS", "api:rate:*")) as string[]).length)),
  );
  expect(counters.filter((count) => count > 0).length).toBeGreaterThan(1);
});
