import { parseNatMap, parseRedisTarget, withNatMap } from "@dynamo-csms/proto/process/redis-target";
import { connectionReady, connectRedis, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { FaultyRedis, RedisNode, Topology, Ways } from "../faults/contract.ts";
import { startFaultyRedis } from "../faults/servers/faulty-redis.ts";
import { startWays } from "../faults/servers/ways.ts";

const log = createLogger("fatal", "test");
const WHOLE_MS = 60_000;
let ways: Ways;
const redisServers: FaultyRedis[] = [];
const connections: RedisConnection[] = [];

beforeAll(async () => void (ways = await startWays()));
afterAll(() => ways.close());
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.disconnect();
  await Promise.all(redisServers.splice(0).map((redis) => redis.close()));
});

test("a power cut takes what was not synced, and nothing that was", async () => {
  const redis = await started("single");
  const node = only(redis);
  const lossy = await entriesOver(redis, () => node.powerCut());
  expect(lossy.cutBytes).toBeGreaterThan(0);
  expect(lossy.kept).toBeLessThan(lossy.acknowledged);

  await node.configure("appendfsync", "always");
  const safe = await entriesOver(redis, () => node.powerCut());
  expect(safe.kept).toBeGreaterThanOrEqual(safe.acknowledged);
  expect(await node.command("CONFIG", "GET", "appendfsync")).toEqual(["appendfsync", "always"]); // after a restart
});

test("kill -9 alone loses nothing, and the node comes back on its port", async () => {
  const redis = await started("single");
  const node = only(redis);
  const outcome = await entriesOver(redis, async () => {
    await node.kill();
    expect([node.running(), await node.role()]).toEqual([false, "away"]);
    return { cutBytes: 0 };
  });
  expect(outcome.kept).toBeGreaterThanOrEqual(outcome.acknowledged);
});

test("a full disk: Redis refuses writes and goes on reading, and takes them again when there is room", async () => {
  const redis = await started("single");
  const node = only(redis);
  await node.command("SET", "before", "1");
  await node.fillDisk();
  const write = () => node.command("SET", "meanwhile", "1").then(String, String);
  await expect.poll(write, { timeout: 20_000 }).toContain("MISCONF");
  expect(await node.command("GET", "before")).toBe("1");
  await node.freeDisk();
  await expect.poll(write, { timeout: 20_000 }).toBe("OK");
  await node.configure("appendfsync", "always");
  await node.fillDisk();
  await write(); // what it cannot sync it may not answer: it ends itself
  await expect.poll(() => node.running()).toBe(false);
  await node.freeDisk();
  await node.start();
  expect(await node.command("GET", "before")).toBe("1");
});

test(
  "Redis Cluster: a killed master is replaced by its replica, and comes back as one",
  { timeout: 180_000 },
  async () => {
    const redis = await started("cluster");
    expect((await roles(redis)).toSorted()).toEqual(["master", "master", "master", "replica", "replica", "replica"]);
    const way = await redis.openWay("gw-1");
    const through = await client(redis.urlFor("gw-1"), redis.natMapFor("gw-1"));
    const direct = await client(redis.directUrl);
    for (let index = 0; index < 50; index += 1) await through.set(`key-${index}`, index);

    await way.refuse(); // every node of it, as the client is cut off
    await expect(through.set("key-1", "x")).rejects.toThrow();
    expect(await direct.get("key-1")).toBe("1");
    await way.heal();

    const master = await redis.masterOf("key-1");
    await master.kill();
    await expect
      .poll(() => redis.masterOf("key-1").then((node) => node.name, String), { timeout: WHOLE_MS })
      .toMatch(/^redis-/);
    expect(await (await redis.masterOf("key-1")).command("GET", "key-1")).toBe("1");
    await expect.poll(() => through.get("key-1").catch(String), { timeout: WHOLE_MS }).toBe("1");
    await master.start();
    await redis.healthy(WHOLE_MS);
    expect(await master.role()).toBe("replica");
  },
);

test(
  "Sentinel: a killed primary is replaced, clients find the new one, and it comes back as a replica",
  { timeout: 180_000 },
  async () => {
    const redis = await started("sentinel");
    expect((await roles(redis)).toSorted()).toEqual(["master", "replica", "replica"]);
    await redis.openWay("gw-1");
    const through = await client(redis.urlFor("gw-1"), redis.natMapFor("gw-1"));
    await through.set("kept", "1");
    await through.wait(2, 5_000);
    const primary = await redis.masterOf("kept");
    await primary.kill();
    await expect
      .poll(() => redis.masterOf("kept").then((node) => node.name, String), { timeout: WHOLE_MS })
      .toMatch(/^redis-/);
    expect((await redis.masterOf("kept")).name).not.toBe(primary.name);
    await expect.poll(() => through.get("kept").catch(String), { timeout: WHOLE_MS }).toBe("1");
    await primary.start();
    await redis.healthy(WHOLE_MS);
    expect(await primary.role()).toBe("replica");
    // It was told on the wire and remembers it: as the configuration of its first start says it would be a primary.
    await primary.stop();
    await primary.start();
    expect(await primary.role()).toBe("replica");
  },
);

async function started(topology: Topology): Promise<FaultyRedis> {
  const redis = await startFaultyRedis(topology, { ways });
  redisServers.push(redis);
  return redis;
}

async function client(url: string, natMap?: string): Promise<RedisConnection> {
  const target = withNatMap(parseRedisTarget(url), natMap === undefined ? undefined : parseNatMap(natMap));
  const connection = connectRedis(target, "commands", { connectionName: "test", log });
  connections.push(connection);
  await connectionReady(connection);
  return connection;
}

/** Appends entries one after the other for three seconds, breaks the server and starts it again. */
async function entriesOver(
  redis: FaultyRedis,
  broken: () => Promise<{ cutBytes: number }>,
): Promise<{ acknowledged: number; kept: number; cutBytes: number }> {
  const node = only(redis);
  await node.command("DEL", "lane");
  const connection = await client(redis.directUrl);
  let acknowledged = 0;
  let over = false;
  const writing = (async () => {
    while (!over) {
      try {
        await connection.xadd("lane", "*", "n", String(acknowledged));
        acknowledged += 1;
      } catch {
        over = true;
      }
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const { cutBytes } = await broken();
  over = true;
  await writing;
  connection.disconnect();
  await node.start();
  return { acknowledged, kept: Number(await node.command("XLEN", "lane")), cutBytes };
}

const only = (redis: FaultyRedis) => redis.nodes[0] as RedisNode;
const roles = (redis: FaultyRedis) => Promise.all(redis.nodes.map((node) => node.role()));
