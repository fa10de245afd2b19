import { setTimeout as sleep } from "node:timers/promises";
import type { FaultyRedis, RedisNode } from "@dynamo-csms/local/faults/contract";
import { keySlot } from "@dynamo-csms/proto/key-slot";
import { lane as laneKey } from "@dynamo-csms/proto/redis-keys";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LANE_LIMITS } from "../inbound/lane-limits.ts";
import { startCutProxy } from "./cut-proxy.ts";
import { loadOn, upTo, useFaultyLanes } from "./faulty-lanes.ts";
import { entriesOf, numbersIn, type LaneWorld } from "./lane-world.ts";
import { until } from "./world.ts";

const { servers: startedServers, scene, masterOf } = useFaultyLanes("cluster");
let servers: FaultyRedis;
let cluster: Cluster;
beforeAll(() => {
  servers = startedServers();
  cluster = new Cluster(servers.directUrl.split(","), { slotsRefreshInterval: 500 });
  cluster.on("error", () => undefined); // killed on purpose
});
afterAll(() => cluster.disconnect());

const numbers = async (world: LaneWorld) => numbersIn(await entriesOf(cluster, world.lane.laneId));

async function replicaOf(master: RedisNode): Promise<RedisNode> {
  const info = String(await master.command("INFO", "replication"));
  const port = Number(/slave0:ip=[^,]*,port=(\d+)/.exec(info)?.[1]);
  return servers.nodes.find((node) => node.port === port) as RedisNode;
}

test("lanes spread over the masters", async () => {
  const worlds = [await scene(), await scene(), await scene()];
  const masters = await Promise.all(worlds.map(masterOf));
  expect(new Set(masters.map(({ name }) => name)).size).toBe(3);
});

test.each(["redis", "replica"] as const)(
  "[A7] ACK_DURABILITY=%s: the lane's master killed under load, and nothing told as stored is missing or there twice",
  async (durability) => {
    const world = await scene({ durability });
    const load = loadOn(world);
    await until("some stored", () => world.stored.length > 500);
    const master = await masterOf(world);
    await master.kill();
    const before = world.stored.length;
    // The promoted one has no replica of its own until the killed one is back: until then it promises nothing.
    if (durability === "replica") {
      await until("promoted", async () => (await masterOf(world).catch(() => master)).name !== master.name);
      await master.start();
    }
    await until("the promoted replica takes more", () => world.stored.length > before + 500);
    await load.stop();
    await until("all told", () => world.stored.length + world.refused.length === world.sent());
    expect(world.laneIds).toHaveLength(1);
    expect((await masterOf(world)).name).not.toBe(master.name);
    expect(await numbers(world)).toEqual(upTo(world.sent()));
  },
);

test("[A7] ACK_DURABILITY=replica: what was told as stored is on the promoted replica, though the writer died with the master", async () => {
  const world = await scene({ durability: "replica" });
  const load = loadOn(world);
  await until("some stored", () => world.stored.length > 500);
  const { laneId } = world.lane;
  const master = await masterOf(world);
  await master.kill();
  world.lane.close();
  await load.stop();
  const stored = [...world.stored];
  await until("a replica was promoted", async () => {
    const now = await servers.masterOf(laneKey(laneId)).catch(() => undefined);
    return now !== undefined && now.name !== master.name;
  });
  const kept = new Set(numbersIn(await entriesOf(cluster, laneId)));
  expect(stored.filter((number) => !kept.has(number))).toEqual([]);
});

test.each(["stays silent", "goes on as a replica"])(
  "[A7] nothing in flight: a replica was promoted that lacks the acknowledged end, and the former master %s; the lane is filled",
  async (fate) => {
    // A tail that is shorter than the failover: nothing of it may go while nobody answers.
    const tailMs = fate === "stays silent" ? 1_000 : LANE_LIMITS.tailMs;
    const world = await scene({ limits: { replyTimeoutMs: 2_000, tailMs } });
    world.frame();
    await until("stored", () => world.stored.length === 1);
    const master = await masterOf(world);
    const replica = await replicaOf(master);
    await until("replicated", async () => Number(await master.command("WAIT", "1", "100")) === 1);
    replica.pause();
    await master.command("CLIENT", "KILL", "TYPE", "replica");
    for (let i = 0; i < 5; i++) {
      world.frame();
      await until("stored", () => world.stored.length === i + 2);
    }
    master.pause();
    replica.resume();
    await until("the replica was promoted", async () => (await replica.role()) === "master");
    if (fate === "goes on as a replica") master.resume();
    const key = laneKey(world.lane.laneId);
    await until("the lane is whole", async () => Number(await replica.command("XLEN", key)) === 7);
    expect(await numbers(world)).toEqual(upTo(6));
    expect(world.laneIds).toHaveLength(1);
    world.frame();
    await until("stored", () => world.stored.length === 7);
  },
);

test("[A8] REDIS_NAT_MAP: a writer that knows every node behind a proxy goes nowhere else", async () => {
  const proxies = await Promise.all(servers.nodes.map(({ port }) => startCutProxy(port)));
  const natMap = servers.nodes.map(({ port }, at) => `127.0.0.1:${port}=127.0.0.1:${proxies[at]?.port}`).join();
  const world = await scene({
    url: `redis://127.0.0.1:${proxies[0]?.port},redis://127.0.0.1:${proxies[1]?.port}`,
    natMap,
  });
  world.frame();
  await until("stored", () => world.stored.length === 1);
  for (const proxy of proxies) {
    proxy.refuse();
    proxy.cut();
  }
  await until("away", () => !world.lane.healthy);
  world.frame();
  await sleep(2_000); // long enough to find the way around, if there were one
  expect(world.lane.healthy).toBe(false);
  expect(world.stored).toEqual([1]);
  for (const proxy of proxies) proxy.admit();
  await until("told", () => world.stored.length === 2);
  expect(await numbers(world)).toEqual([1, 2]);
  await world.close();
  for (const proxy of proxies) await proxy.close();
});

test("a lane whose slot is moved to another master under load goes on there, whole and in order", async () => {
  const world = await scene();
  const load = loadOn(world);
  await until("some stored", () => world.stored.length > 200);
  const key = laneKey(world.lane.laneId);
  const slot = String(keySlot(key));
  const source = await masterOf(world);
  const masters = await Promise.all(
    servers.nodes.map(async (node) => ({
      node,
      role: await node.role(),
      id: String(await node.command("CLUSTER", "MYID")),
    })),
  );
  const from = masters.find(({ node }) => node.name === source.name)!;
  const to = masters.find(({ node, role }) => node.name !== source.name && role === "master")!;
  await to.node.command("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
  await from.node.command("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
  const keys = (await from.node.command("CLUSTER", "GETKEYSINSLOT", slot, "100")) as string[];
  expect(keys).toContain(key);
  await from.node.command("MIGRATE", "127.0.0.1", String(to.node.port), "", "0", "5000", "KEYS", ...keys);
  await sleep(500); // the lane is there already, and the slot is not
  for (const { node } of [to, from]) await node.command("CLUSTER", "SETSLOT", slot, "NODE", to.id);
  const before = world.stored.length;
  await until("the new owner takes more", () => world.stored.length > before + 200);
  await load.stop();
  await until("all told", () => world.stored.length === world.sent());
  expect((await masterOf(world)).name).toBe(to.node.name);
  expect(world.laneIds).toHaveLength(1);
  expect(await numbers(world)).toEqual(upTo(world.sent()));
});
