import { setTimeout as sleep } from "node:timers/promises";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { LEASE_MS } from "@dynamo-csms/proto/redis-keys";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createIntakeWorld, type IntakeWorld, until } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

let redis: TestServer;
let world: IntakeWorld;
beforeAll(async () => {
  redis = await startTestRedis();
  world = await createIntakeWorld(1, { redisUrl: redis.url });
});
afterAll(async () => {
  await world.close();
  await redis.remove();
});

test("while Redis answers and takes no writes, leases that run out mean nothing", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const { nodeId } = lane;
  await lane.append(
    connectionOf(station, "1.6", 1_700_000_000_000).event({
      event: "opened",
      nodeId,
      remoteAddress: "192.0.2.7",
      subprotocol: "ocpp1.6",
      notes: [],
    }),
  );
  const intake = world.startIntake({ replayWindowMs: 0 });
  await world.applied(lane);
  await world.redis.config("SET", "maxmemory-policy", "noeviction");
  await world.redis.config("SET", "maxmemory", "1");
  await expect(world.redis.set("x", "y")).rejects.toThrow("OOM");
  await lane.die();
  // Without looking at writes, a lane without leases is over when the connection has been up for as long as a lease.
  await sleep(LEASE_MS + 3_000);
  const state = "select finished_at, closed_at from lanes, station_connections where id = $1 and station_id = $2";
  expect(await world.rows(state, [lane.id, station.id])).toEqual([{ finished_at: null, closed_at: null }]);
  await world.redis.config("SET", "maxmemory", "0");
  await until(
    async () =>
      (await world.rows("select 1 from lanes where id = $1 and finished_at is not null", [lane.id])).length > 0,
  );
  await intake.stop();
});
