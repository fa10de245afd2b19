import { startFaultyRedis } from "@dynamo-csms/local/faults/servers/faulty-redis";
import { connectRedis, connectionReady } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { lane, stationRecord } from "@dynamo-csms/proto/redis-keys";
import { encodeStationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectStation } from "./fake-station.ts";
import { entriesOf } from "./lane-world.ts";
import { startWorld, until, type World } from "./world.ts";

// A whole gateway process whose Redis fails over under its stations.

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

test.each(["cluster", "sentinel"] as const)(
  "[A7] %s: the server of the lane is killed; the station keeps its connection, and is answered again once it is stored",
  async (topology) => {
    const servers = await startFaultyRedis(topology);
    const deps = { connectionName: "test", log: pino({ level: "silent" }) };
    const redis = connectRedis(parseRedisTarget(servers.directUrl), "commands", deps);
    await connectionReady(redis);
    const gateway = await world.gateway({ REDIS_URL: servers.directUrl });
    const station = await world.register();
    await redis.hset(stationRecord(station.identity), "rev", 1, "record", encodeStationRecord(station.record));
    const { ws, call, closed } = await connectStation(gateway.url, station);
    expect((await call("before", "Heartbeat", {}))[0]).toBe(3);

    const laneId = (await redis.hkeys("ocpp:lanes")).find((id) => id.startsWith(gateway.nodeId)) as string;
    const master = await servers.masterOf(lane(laneId));
    await master.kill();
    expect((await call("meanwhile", "Heartbeat", {}))[0]).toBe(3);
    expect((await servers.masterOf(lane(laneId))).name).not.toBe(master.name);

    // Everything else of the node finds its way, too: another station is let in, and taken over from itself.
    await until("let in", () =>
      connectStation(gateway.url, station).then(
        ({ ws: second }) => (second.close(), true),
        () => false,
      ),
    );
    await closed;
    ws.terminate();
    await master.start();
    await servers.healthy(60_000);
    gateway.signal("SIGTERM");
    expect(await gateway.ended).toBe(0);
    const texts = (await entriesOf(redis, laneId)).flat().map(({ text }) => text);
    for (const messageId of ["before", "meanwhile"])
      expect(texts.filter((text) => text.includes(`"${messageId}"`))).toHaveLength(1);
    redis.disconnect();
    await servers.close();
  },
  120_000,
);
