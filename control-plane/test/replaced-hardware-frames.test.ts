import { afterAll, beforeAll, expect, test } from "vitest";
import { createIntakeWorld, type IntakeWorld, statusesOf, statusPayload } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

let world: IntakeWorld;
beforeAll(async () => {
  world = await createIntakeWorld(13);
  world.startIntake();
});
afterAll(() => world.close());

test("what a removed unit still had on its way changes no fact, but its transactions and its log count", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  await world.rows(`update stations set hardware_epoch = 1000 where id = $1`, [station.id]);
  const lane = await world.openLane();
  const removed = connectionOf(station, "1.6", 1_000);
  await lane.append(
    removed.call("StatusNotification", statusPayload(1, "Faulted")),
    removed.call(
      "StopTransaction",
      { transactionId: 1, meterStop: 5, timestamp: "2026-05-01T10:00:00Z" },
      { answer: {} },
    ),
  );
  const installed = connectionOf(station, "1.6", 2_000);
  await lane.append(installed.call("StatusNotification", statusPayload(2, "Available")));
  await world.applied(lane);
  expect(await statusesOf(world, station.id)).toEqual(["Available"]);
  expect(await world.rows(`select reason from quarantine where station_id = $1`, [station.id])).toEqual([
    { reason: "unknown transaction" },
  ]);
  expect(await world.rows(`select 1 from message_log where station_id = $1`, [station.id])).toHaveLength(3);
});
