import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { LANES, lane as laneKey, laneLease, nodeLease } from "@dynamo-csms/proto/redis-keys";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { closeConnectionsOfDeadNode } from "../stations/record-connection.ts";
import { tellDueDisconnects } from "../stations/tell-disconnects.ts";
import { createIntakeWorld, type IntakeWorld, statusesOf, statusPayload, until } from "./intake-world.ts";
import { connectionOf, type LaneDouble } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

// When a lane is over, and when it only looks so: leases lapse under gateways that live.

let world: IntakeWorld;
beforeAll(async () => void (world = await createIntakeWorld(7)));
afterAll(() => world.close());

const newStation = () => registerStation(world.database.pool, world.project, "1.6");
const EPOCH = 1_700_000_000_000;
const openedBy = (lane: LaneDouble): LaneEvent => ({
  event: "opened",
  nodeId: lane.nodeId,
  remoteAddress: "192.0.2.7",
  subprotocol: "ocpp1.6",
  notes: [],
});
const isFinished = async (lane: LaneDouble) =>
  (await world.rows("select 1 from lanes where id = $1 and finished_at is not null", [lane.id])).length > 0;
const connectionRow = async (stationId: string) =>
  (
    await world.rows(
      "select closed_at is not null as closed, disconnect_due_at is not null as due from station_connections where station_id = $1",
      [stationId],
    )
  )[0];

test("a lane that was finished under a living writer is taken up again, and what is in it is applied", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  await world.rows("insert into lanes (id, node_id, finished_at) values ($1, $2, now())", [lane.id, lane.nodeId]);
  await lane.append(connectionOf(station, "1.6", EPOCH).call("StatusNotification", statusPayload(1, "Available")));
  const intake = world.startIntake();
  await world.applied(lane);
  await intake.stop();
  expect(await statusesOf(world, station.id)).toEqual(["Available"]);
  expect(await world.redis.hexists(LANES, lane.id)).toBe(1);
});

test("a finished lane without a stream is only taken out of the registry", async () => {
  const lane = await world.openLane();
  await world.rows("insert into lanes (id, node_id, finished_at) values ($1, $2, now())", [lane.id, lane.nodeId]);
  const intake = world.startIntake();
  await until(async () => (await world.redis.hexists(LANES, lane.id)) === 0);
  await intake.stop();
  expect(await isFinished(lane)).toBe(true);
});

test("connections end with their node, whichever of its leases runs out first, and not with a lane that it left", async () => {
  const [waiting, moved, dead] = [await newStation(), await newStation(), await newStation()];
  const lanes = [await world.openLane(), await world.openLane(), await world.openLane()] as const;
  const [half, left, gone] = lanes;
  await half.append(connectionOf(waiting, "1.6", EPOCH).event(openedBy(half)));
  await left.append(connectionOf(moved, "1.6", EPOCH).event(openedBy(left)));
  await gone.append(connectionOf(dead, "1.6", EPOCH).event(openedBy(gone)));
  await world.redis.del(laneLease(half.id));
  await world.redis.del(laneLease(left.id));
  await world.redis.set(nodeLease(left.nodeId), JSON.stringify({ laneId: "the-next", startedAtMs: 1 }));
  const intake = world.startIntake({ replayWindowMs: 0 });
  await world.applied(half, left, gone);
  await until(() => isFinished(left));
  // This one ends later than the half-dead lane would have.
  await gone.die();
  await until(() => isFinished(gone));
  expect(await isFinished(half)).toBe(false);
  expect(await world.redis.exists(laneKey(half.id))).toBe(1);
  expect(await connectionRow(moved.id)).toEqual({ closed: false, due: false });
  expect(await connectionRow(dead.id)).toEqual({ closed: true, due: true });
  await half.die();
  await until(() => isFinished(half));
  await intake.stop();
  expect(await connectionRow(waiting.id)).toEqual({ closed: true, due: true });
});

test("a connection whose node was taken for dead and lives is open again, and its end is not told", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  await lane.append(cp.event(openedBy(lane)));
  const intake = world.startIntake();
  await world.applied(lane);
  await closeConnectionsOfDeadNode(sqlOn(world.database.pool), lane.nodeId);
  expect(await connectionRow(station.id)).toEqual({ closed: true, due: true });
  await world.rows("update station_connections set disconnect_due_at = now() + interval '1 h' where station_id = $1", [
    station.id,
  ]);
  const { nodeId } = lane;
  await lane.append(
    cp.event({ event: "stillOpen", nodeId, remoteAddress: "192.0.2.7", subprotocol: "ocpp1.6" }),
    cp.event({ event: "laneOpened", nodeId }),
  );
  await world.applied(lane);
  await intake.stop();
  expect(await connectionRow(station.id)).toEqual({ closed: false, due: false });
  expect(await tellDueDisconnects({ pool: world.database.pool, limit: 10 })).toBe(0);
  expect(await world.rows("select * from dead_letters where lane_id = $1", [lane.id])).toEqual([]);
  expect(
    await world.rows("select type from events where data->>'charge_point_id' = $1 and type like 'charge_point.%'", [
      station.chargePointId,
    ]),
  ).toEqual([{ type: "charge_point.connected" }]);
});
