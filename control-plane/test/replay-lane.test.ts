import { lane as laneKey } from "@dynamo-csms/proto/redis-keys";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { replayLane } from "../operations/replay-lane.ts";
import { createIntakeWorld, type IntakeWorld, statusPayload, until } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

let redisServer: TestServer;
let world: IntakeWorld;
beforeAll(async () => {
  redisServer = await startTestRedis();
  world = await createIntakeWorld(1, { redisUrl: redisServer.url });
});
afterAll(async () => {
  await world.close();
  await redisServer.remove();
});

test("[A14] what was lost from Postgres comes back from the lane when it is replayed, and what was not stays once", async () => {
  const intake = world.startIntake();
  const lane = await world.openLane();
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const connection = connectionOf(station, "1.6", 1_700_000_000_000);
  const statuses = Array.from({ length: 6 }, () => connection.call("StatusNotification", statusPayload(1, "Charging")));
  for (const frame of statuses) await lane.append(frame);
  await world.applied(lane);
  const logged = () =>
    world.rows<{ seq: number }>("select seq from message_log where station_id = $1 order by seq", [station.id]);
  expect(await logged()).toHaveLength(6);

  // Two were trimmed; of what Redis still has, two went missing from Postgres.
  await world.redis.xtrim(laneKey(lane.id), "MINID", "3-0");
  await world.rows("delete from message_log where station_id = $1 and seq in (2, 4, 5)", [station.id]);
  const servers = { sql: sqlOn(world.database.pool), redis: world.redis };
  expect(await replayLane(servers, lane.id, "2-0")).toMatchObject({ ok: false, error: expect.stringContaining("3-0") });
  expect(await replayLane(servers, lane.id, undefined)).toEqual({
    ok: true,
    value: { firstEntry: "3-0", entries: 4, formerOffset: "6-0" },
  });
  await lane.append(connection.call("StatusNotification", statusPayload(1, "Available")));
  await world.applied(lane);
  await until(async () => (await logged()).length === 6);
  expect((await logged()).map(({ seq }) => seq)).toEqual([1, 3, 4, 5, 6, 7]);
  expect(await world.rows("select 1 from lane_gaps where lane_id = $1", [lane.id])).toEqual([]);
  await intake.stop();
});
