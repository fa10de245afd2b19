import { startFaultyRedis } from "@dynamo-csms/local/faults/servers/faulty-redis";
import type { FaultyRedis } from "@dynamo-csms/local/faults/contract";
import { connectionReady, connectRedis, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { nodeCommands, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "./world.ts";

// What a node says and hears over a Redis Cluster while a master fails.

let servers: FaultyRedis;
let redis: RedisConnection;
let subscriber: RedisConnection;

beforeAll(async () => {
  servers = await startFaultyRedis("cluster");
  const target = parseRedisTarget(servers.directUrl);
  const deps = { connectionName: "test", log: pino({ level: "silent" }) };
  redis = connectRedis(target, "commands", deps);
  subscriber = connectRedis(target, "subscriber", deps);
  await connectionReady(redis);
});
afterAll(async () => {
  redis.disconnect();
  subscriber.disconnect();
  await servers.close();
});

test("commands to every master work from the first moment on, all at once", async () => {
  const keys = Array.from({ length: 30 }, (_, at) => stationOwner(`cs-${at}` as StationIdentity));
  await Promise.all(keys.map((key) => redis.hset(key, "node", key)));
  expect(await Promise.all(keys.map((key) => redis.hget(key, "node")))).toEqual(keys);
});

test.each(["killed", "stands still"])(
  "[A7] the channel's master %s: within seconds its node hears again, and is published to",
  async (fate) => {
    const channel = nodeCommands(`node-${fate}`);
    const heard: string[] = [];
    subscriber.on("smessage", (name: string, text: string) => name === channel && heard.push(text));
    await subscriber.ssubscribe(channel);
    const hears = async (text: string) => {
      // Rejected while the master is away: whoever asks says it again.
      await redis.spublish(channel, text).catch(() => 0);
      return heard.includes(text);
    };
    await until("heard", () => hears("before"));
    const master = await servers.masterOf(channel);
    if (fate === "killed") await master.kill();
    else master.pause();
    await until("heard again", () => hears("after"));
    expect((await servers.masterOf(channel)).name).not.toBe(master.name);
    master.resume();
    await master.start();
    await servers.healthy(60_000);
    await until("still heard when the former master is back", () => hears("back"));
  },
);
