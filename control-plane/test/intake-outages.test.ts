import { setTimeout as sleep } from "node:timers/promises";
import { startTestPostgres, startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

let postgres: TestServer;
let redis: TestServer;
let world: IntakeWorld;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis({ appendOnly: true })]);
  world = await createIntakeWorld(1, { postgresUrl: postgres.url, redisUrl: redis.url });
});
afterAll(async () => {
  await world.close();
  await Promise.all([postgres.remove(), redis.remove()]);
});

test("Postgres and then Redis killed under load: every frame is applied once, and none is set aside", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  let written = 0;
  const write = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      await lane.append(
        cp.call("StatusNotification", {
          connectorId: 1,
          errorCode: "NoError",
          status: written % 2 === 0 ? "Available" : "Charging",
        }),
        cp.call("Heartbeat", {}),
      );
      written += 1;
    }
  };
  let transactions = 0;
  const intake = world.startIntake({ beforeCommit: async () => void (transactions += 1) });
  await write(50);
  while (transactions === 0) await sleep(5);

  // Killed while the intake is at work, with more coming in.
  const writing = write(200);
  await postgres.kill();
  await writing;
  await write(50);
  await postgres.restart();
  await world.applied(lane);

  await write(20);
  // Everysec: what was written has to reach the disk, or it would be Redis that lost it.
  await world.redis.config("SET", "appendfsync", "always");
  await write(20);
  await redis.kill();
  await redis.restart();
  await lane.renew().catch(async () => {
    await sleep(500);
    await lane.renew();
  });
  await write(50);
  await world.applied(lane);
  await intake.stop();

  expect(await world.rows("select count(*)::int as n from message_log where station_id = $1", [station.id])).toEqual([
    { n: written },
  ]);
  expect(
    await world.rows("select count(*)::int as n from events where data->>'charge_point_id' = $1", [
      station.chargePointId,
    ]),
  ).toEqual([{ n: written }]);
  expect(await world.rows("select * from dead_letters", [])).toEqual([]);
  expect(await world.rows("select * from lane_gaps", [])).toEqual([]);
});
