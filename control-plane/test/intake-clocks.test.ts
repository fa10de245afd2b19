import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { lane as laneKey, LEASE_MS } from "@dynamo-csms/proto/redis-keys";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { LaneReader } from "../intake/lane-reader.ts";
import { createIntakeWorld, type IntakeWorld, statusPayload } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

// Gateways' clocks are ahead or behind, and our own is set: what is due, and what counts as long ago, does not follow them.

let world: IntakeWorld;
beforeAll(async () => void (world = await createIntakeWorld(8)));
afterEach(() => void vi.useRealTimers());
afterAll(() => world.close());

const HOUR_MS = 3_600_000;
const EPOCH = 1_700_000_000_000;
const newStation = () => registerStation(world.database.pool, world.project, "1.6");
const setClock = (atMs: number) => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(atMs);
};

test("the grace time of a closed connection counts from here, not by the clock of a gateway that is behind", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  const { nodeId } = lane;
  const behind = { receivedAtMs: Date.now() - HOUR_MS };
  await lane.append(
    {
      ...cp.event({ event: "opened", nodeId, remoteAddress: "::1", subprotocol: "ocpp1.6", notes: ["x"] }),
      ...behind,
    },
    { ...cp.event({ event: "closed", nodeId, code: 1006, reason: "" }), ...behind },
  );
  const intake = world.startIntake();
  await world.applied(lane);
  await intake.stop();
  const [row] = await world.rows(
    "select closed_at, notes, disconnect_due_at > now() - interval '10 s' as ahead, disconnect_due_at <= now() + interval '60 s' as soon from station_connections where station_id = $1",
    [station.id],
  );
  expect(row).toEqual({ closed_at: new Date(behind.receivedAtMs), notes: ["x"], ahead: true, soon: true });
});

test("a gateway whose clock is ahead does not hold back the signs of life that follow", async () => {
  const [ahead, silent] = [await newStation(), await newStation()];
  const lane = await world.openLane();
  const { nodeId } = lane;
  const [cp, other] = [connectionOf(ahead, "1.6", EPOCH), connectionOf(silent, "1.6", EPOCH)];
  const receivedAtMs = Date.now() + HOUR_MS;
  await lane.append(
    {
      ...cp.event({ event: "opened", nodeId, remoteAddress: "::1", subprotocol: "ocpp1.6", notes: [] }),
      receivedAtMs,
    },
    cp.call("Heartbeat", {}, { atMs: receivedAtMs }),
    other.call("StatusNotification", statusPayload(1, "Available")),
  );
  const intake = world.startIntake();
  await world.applied(lane);
  await intake.stop();
  expect(
    await world.rows(
      `select last_seen_at <= now() as seen, last_heartbeat_at <= now() as beat, opened_at <= last_heartbeat_at as opened
       from station_seen join station_connections using (station_id) where station_id = $1`,
      [ahead.id],
    ),
  ).toEqual([{ seen: true, beat: true, opened: true }]);
  expect(await world.rows("select last_heartbeat_at from station_seen where station_id = $1", [silent.id])).toEqual([
    { last_heartbeat_at: null },
  ]);
});

test("a clock that is set forwards does not cut the replay window short", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  const status = () => cp.call("StatusNotification", statusPayload(1, "Available"));
  await lane.append(status());
  await lane.append(status());
  const intake = world.startIntake({ replayWindowMs: 60_000 });
  await world.applied(lane);
  setClock(Date.now() + HOUR_MS);
  // What may be trimmed after the first of these is trimmed by the time the second one is committed.
  for (let batches = 0; batches < 2; batches += 1) {
    await lane.append(status());
    await world.applied(lane);
  }
  await intake.stop();
  expect(await world.redis.xlen(laneKey(lane.id))).toBe(4);
});

test("a clock that is set forwards does not make a connection old", async () => {
  const log = pino({ level: "silent" });
  const reader = new LaneReader(
    connectRedis(parseRedisTarget(world.redisUrl), "blocking", { connectionName: "test", log }),
    "nowhere",
  );
  await reader.read("0-0", 1, 0);
  setClock(Date.now() + HOUR_MS);
  expect(reader.upForMs).toBeGreaterThan(0);
  expect(reader.upForMs).toBeLessThan(LEASE_MS);
  reader.close();
});
