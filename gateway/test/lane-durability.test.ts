import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLaneWorld } from "./lane-world.ts";
import { until } from "./world.ts";

let server: TestServer;
let redis: Redis;

beforeAll(async () => {
  server = await startTestRedis({ appendOnly: true });
  redis = new Redis(server.url);
  // As a managed Redis: what it does not let its users do it calls unknown, or not permitted.
  await redis.call("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-wait", "-config");
});
afterAll(async () => {
  redis.disconnect();
  await server.remove();
});

const limited = () => `redis://limited:secret@127.0.0.1:${server.port}`;

test("a server that lets nobody use WAIT cannot promise a replica, and says what to do", async () => {
  const world = await startLaneWorld(limited(), { durability: "replica" });
  await expect(world.lane.open()).rejects.toThrow("+wait");
  await world.close();
});

test("a server without WAITAOF that does not tell its configuration cannot promise the disk, and says what to do", async () => {
  const hasWaitAof = ((await redis.call("COMMAND", "INFO", "WAITAOF")) as unknown[])[0] !== null;
  const world = await startLaneWorld(limited(), { durability: "aof" });
  if (hasWaitAof) await world.lane.open();
  else await expect(world.lane.open()).rejects.toThrow("+config|get");
  await world.close();
});

test("a server that keeps nothing on disk cannot promise the disk", async () => {
  await redis.config("SET", "appendonly", "no");
  const world = await startLaneWorld(server.url, { durability: "aof" });
  await expect(world.lane.open()).rejects.toThrow("appendonly");
  await world.close();
  await redis.config("SET", "appendonly", "yes");
});

// Broken once on purpose: with WAIT's count left unread (lane-writer.ts, #commitGroup) it fails: [1] told while one of two
// has it.
test("[I1] ACK_REPLICAS: nothing is told before so many replicas have it", async () => {
  const replicas = [await startTestRedis(), await startTestRedis()];
  const controls = replicas.map(({ url }) => new Redis(url));
  await controls[0]?.replicaof("127.0.0.1", server.port);
  const world = await startLaneWorld(server.url, { durability: "replica", replicas: 2 });
  await world.lane.open();
  world.frame();
  await until("one has it", async () => Number(await redis.call("WAIT", "1", "100")) === 1);
  expect(world.stored).toEqual([]);
  await controls[1]?.replicaof("127.0.0.1", server.port);
  await until("told", () => world.stored.length === 1);
  await world.close(redis);
  for (const control of controls) control.disconnect();
  for (const replica of replicas) await replica.remove();
});

test("[A7] while too few replicas are there the writer is not healthy, though its server answers: nobody new is let in", async () => {
  const world = await startLaneWorld(server.url, { durability: "replica", limits: { replyTimeoutMs: 3_000 } });
  await world.lane.open();
  expect(world.lane.healthy).toBe(true);
  world.frame();
  await until("it says so", () => !world.lane.healthy);
  const replica = await startTestRedis();
  const control = new Redis(replica.url);
  await control.replicaof("127.0.0.1", server.port);
  await until("it can keep its promise again", () => world.lane.healthy);
  await world.close(redis);
  control.disconnect();
  await replica.remove();
});
