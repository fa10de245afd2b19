import type { FaultyRedis } from "@dynamo-csms/local/faults/contract";
import { connectionReady, connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { lane as laneKey } from "@dynamo-csms/proto/redis-keys";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LANE_LIMITS } from "../inbound/lane-limits.ts";
import { loadOn, upTo, useFaultyLanes } from "./faulty-lanes.ts";
import { entriesOf, numbersIn, type LaneWorld } from "./lane-world.ts";
import { until } from "./world.ts";

const { servers: startedServers, scene, masterOf } = useFaultyLanes("sentinel");
let servers: FaultyRedis;
let redis: Redis;
beforeAll(async () => {
  servers = startedServers();
  const log = pino({ level: "silent" });
  redis = connectRedis(parseRedisTarget(servers.directUrl), "commands", { connectionName: "test", log }) as Redis;
  await connectionReady(redis);
});
afterAll(() => redis.disconnect());

/** What the lane has, as soon as the Sentinels' primary is connected to. */
async function numbers(world: LaneWorld): Promise<number[]> {
  await until("redis is back", () => redis.status === "ready");
  return numbersIn(await entriesOf(redis, world.lane.laneId));
}

test.each(["redis", "replica"] as const)(
  "[A7] ACK_DURABILITY=%s: the primary killed under load, and nothing told as stored is missing or there twice",
  async (durability) => {
    const world = await scene({ durability });
    const load = loadOn(world);
    await until("some stored", () => world.stored.length > 500);
    const master = await masterOf(world);
    await master.kill();
    const before = world.stored.length;
    await until("promoted", async () => (await masterOf(world).catch(() => master)).name !== master.name);
    // The promoted one may have no replica of its own until the killed one is back: until then it promises nothing.
    await master.start();
    await until("the promoted replica takes more", () => world.stored.length > before + 500);
    await load.stop();
    await until("all told", () => world.stored.length + world.refused.length === world.sent());
    expect(world.laneIds).toHaveLength(1);
    expect(await numbers(world)).toEqual(upTo(world.sent()));
  },
);

test.each(["stays silent", "goes on"])(
  "[A7] nothing in flight: a replica was promoted that lacks the acknowledged end, and the former primary %s; the lane is filled",
  async (fate) => {
    const tailMs = fate === "stays silent" ? 1_000 : LANE_LIMITS.tailMs;
    const world = await scene({ limits: { replyTimeoutMs: 2_000, tailMs } });
    world.frame();
    await until("stored", () => world.stored.length === 1);
    const master = await masterOf(world);
    const replicas = servers.nodes.filter(({ name }) => name !== master.name);
    await until(
      "replicated",
      async () => Number(await master.command("WAIT", String(replicas.length), "100")) === replicas.length,
    );
    for (const replica of replicas) replica.pause();
    await master.command("CLIENT", "KILL", "TYPE", "replica");
    for (let i = 0; i < 5; i++) {
      world.frame();
      await until("stored", () => world.stored.length === i + 2);
    }
    master.pause();
    for (const replica of replicas) replica.resume();
    await until("a replica was promoted", async () => (await masterOf(world).catch(() => master)).name !== master.name);
    if (fate === "goes on") master.resume();
    const promoted = await masterOf(world);
    const key = laneKey(world.lane.laneId);
    await until("the lane is whole", async () => Number(await promoted.command("XLEN", key)) === 7);
    expect(await numbers(world)).toEqual(upTo(6));
    expect(world.laneIds).toHaveLength(1);
    world.frame();
    await until("stored", () => world.stored.length === 7);
  },
);

test("[A7] a primary that takes writes and is not the Sentinels' any more is left at once; nothing is missing", async () => {
  const world = await scene();
  const master = await masterOf(world);
  const load = loadOn(world, 1);
  await until("some stored", () => world.stored.length > 100);
  // It does not obey: it goes on as one that is out of the Sentinels' reach would.
  await master.command("ACL", "SETUSER", "default", "-replicaof", "-slaveof");
  const target = parseRedisTarget(servers.directUrl);
  if (target.kind !== "sentinel") throw new Error("not started behind Sentinels");
  const sentinel = new Redis({ ...target.sentinels[0], protocol: 2 });
  await sentinel.call("SENTINEL", "FAILOVER", target.name);
  sentinel.disconnect();
  await until("promoted", async () => (await masterOf(world).catch(() => master)).name !== master.name);
  const promoted = await masterOf(world);
  const before = world.stored.length;
  await until("more stored", () => world.stored.length > before + 500);
  await load.stop();
  await until("all told", () => world.stored.length === world.sent());
  expect(await master.role()).toBe("master");
  expect(Number(await promoted.command("XLEN", laneKey(world.lane.laneId)))).toBeGreaterThan(500);
  expect(await numbers(world)).toEqual(upTo(world.sent()));
  await master.command("ACL", "SETUSER", "default", "+@all");
});
