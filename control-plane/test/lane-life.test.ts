import { setTimeout as sleep } from "node:timers/promises";
import { LANES, lane as laneKey } from "@dynamo-csms/proto/redis-keys";
import { encodeEntry, ENTRY_FORMAT } from "@dynamo-csms/proto/stream-entry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { startTransaction } from "../transactions/start-transaction.ts";
import { readStart } from "../transactions/transaction-messages.ts";
import { createIntakeWorld, type IntakeWorld, statusesOf, statusPayload, until } from "./intake-world.ts";
import { connectionOf, type LaneDouble } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

// Each test names the promise it protects. Lanes are left unsealed with a lease unless a test is about their end.

let world: IntakeWorld;
beforeAll(async () => void (world = await createIntakeWorld(6)));
afterAll(() => world.close());

const newStation = () => registerStation(world.database.pool, world.project, "1.6");

test("an entry of a newer format is waited with, not set aside, and what precedes it is applied", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  await lane.append(
    connectionOf(station, "1.6", 1_700_000_000_000).call("StatusNotification", statusPayload(1, "Available")),
  );
  const known = lane.end;
  await lane.appendBytes(Buffer.from([ENTRY_FORMAT + 1, 0, 0, 0, 0, 0, 0]));
  const intake = world.startIntake();
  await until(
    async () => (await world.rows(`select 1 from lanes where id = $1 and "offset" = $2`, [lane.id, known])).length > 0,
  );
  await intake.stop();
  expect(await world.rows(`select "offset" from lanes where id = $1`, [lane.id])).toEqual([{ offset: known }]);
  expect(await world.rows("select * from dead_letters where lane_id = $1", [lane.id])).toEqual([]);
  await world.redis.del(laneKey(lane.id));
});

test("a gap that a writer reports is noted, less what was applied before", async () => {
  const station = await newStation();
  const [old, next] = [await world.openLane(), await world.openLane()];
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await old.append(cp.call("StatusNotification", statusPayload(1, "Available")));
  await old.append(cp.call("StatusNotification", statusPayload(1, "Charging")));
  const intake = world.startIntake();
  await world.applied(old);
  await world.redis.del(laneKey(old.id));
  await next.append({
    ...cp.event({ event: "gap", nodeId: old.nodeId, laneId: old.id, fromId: 1, toId: 5, reason: "lane-vanished" }),
    identity: "",
  });
  await world.applied(next);
  await intake.stop();
  expect(await world.rows("select from_entry, to_entry from lane_gaps where lane_id = $1", [old.id])).toEqual([
    { from_entry: "3-0", to_entry: "5-0" },
  ]);
});

test("entries that a lane lacks are noted, and the lane goes on", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await lane.append(cp.call("StatusNotification", statusPayload(1, "Available")));
  await lane.appendBytes(encodeEntry([cp.call("StatusNotification", statusPayload(1, "Charging"))]), 3);
  const intake = world.startIntake();
  await world.applied(lane);
  await intake.stop();
  expect(await world.rows("select from_entry, to_entry from lane_gaps where lane_id = $1", [lane.id])).toEqual([
    { from_entry: "2-0", to_entry: "4-0" },
  ]);
  expect(await statusesOf(world, station.id)).toEqual(["Charging"]);
});

test("[A9] entries that a lane lacks because Redis refused them are no gap, once their writer explains it", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await lane.append(cp.call("StatusNotification", statusPayload(1, "Available")));
  await lane.appendBytes(encodeEntry([cp.call("StatusNotification", statusPayload(1, "Charging"))]), 3);
  const intake = world.startIntake();
  await world.applied(lane);
  await lane.append({
    ...cp.event({ event: "skipped", nodeId: lane.nodeId, laneId: lane.id, ranges: [[2, 3]] }),
    identity: "",
  });
  await world.applied(lane);
  await intake.stop();
  // One of the three stays unexplained.
  expect(await world.rows("select from_entry, to_entry from lane_gaps where lane_id = $1", [lane.id])).toEqual([
    { from_entry: "4-0", to_entry: "4-0" },
  ]);
});

test("a sealed lane that is drained is deleted; one whose writer lives is not", async () => {
  const station = await newStation();
  const [sealed, alive] = [await world.openLane(), await world.openLane()];
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await sealed.append(
    cp.event({ event: "opened", nodeId: sealed.nodeId, remoteAddress: "192.0.2.7", subprotocol: "ocpp1.6", notes: [] }),
  );
  await alive.append(cp.call("StatusNotification", statusPayload(1, "Available")));
  await sealed.seal();
  const intake = world.startIntake({ replayWindowMs: 0 });
  await until(
    async () =>
      (await world.rows("select 1 from lanes where id = $1 and finished_at is not null", [sealed.id])).length > 0,
  );
  await intake.stop();
  expect(await world.redis.exists(laneKey(sealed.id))).toBe(0);
  expect(await world.redis.hexists(LANES, sealed.id)).toBe(0);
  expect(await world.redis.exists(laneKey(alive.id))).toBe(1);
  expect(await world.rows("select finished_at from lanes where id = $1", [alive.id])).toEqual([{ finished_at: null }]);
});

test("the lane of a dead gateway process is finished, and its stations' connections end with it", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await lane.append(
    cp.event({ event: "opened", nodeId: lane.nodeId, remoteAddress: "192.0.2.7", subprotocol: "ocpp1.6", notes: [] }),
  );
  await lane.die();
  const intake = world.startIntake({ replayWindowMs: 0 });
  await until(
    async () =>
      (await world.rows("select 1 from lanes where id = $1 and finished_at is not null", [lane.id])).length > 0,
  );
  await intake.stop();
  expect(
    await world.rows(
      "select closed_at is not null as closed, disconnect_due_at - closed_at = interval '60 s' as grace from station_connections where station_id = $1",
      [station.id],
    ),
  ).toEqual([{ closed: true, grace: true }]);
});

test.each(["goes on", "died"])(
  "[A7] a promoted replica lacks entries that are applied already, and the writer %s: nothing is applied twice or missing",
  async (fate) => {
    const station = await newStation();
    const lane = await world.openLane();
    const cp = connectionOf(station, "1.6", 1_700_000_000_000);
    const append = () => lane.append(cp.call("StatusNotification", statusPayload(1, "Available")));
    for (let i = 0; i < 5; i++) await append();
    const intake = world.startIntake({ replayWindowMs: 0, lingerMs: 0 });
    await world.applied(lane);
    const key = laneKey(lane.id);
    const entries = await world.redis.xrangeBuffer(key, "-", "+");
    await world.redis.del(key);
    for (const [id, fields] of entries.slice(0, 3)) await world.redis.xadd(key, id, ...fields);
    if (fate === "died") {
      await lane.die();
      await until(
        async () =>
          (await world.rows("select 1 from lanes where id = $1 and finished_at is not null", [lane.id])).length > 0,
      );
      expect(await world.redis.exists(key)).toBe(0);
    } else {
      // As the writer does it: the same entries under the same ids, then the next.
      for (const [id, fields] of entries.slice(3)) await world.redis.xadd(key, id, ...fields);
      await append();
      await world.applied(lane);
    }
    await intake.stop();
    const [logged] = await world.rows<{ n: number }>(
      "select count(*)::int as n from message_log where station_id = $1",
      [station.id],
    );
    expect(logged?.n).toBe(fate === "died" ? 5 : 6);
    expect(await world.rows("select 1 from lane_gaps where lane_id = $1", [lane.id])).toEqual([]);
  },
);

test("lanes are trimmed below what is committed, and never above", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  const intake = world.startIntake({ replayWindowMs: 0 });
  await lane.append(cp.call("StatusNotification", statusPayload(1, "Available")));
  await world.applied(lane);
  await lane.append(cp.call("StatusNotification", statusPayload(1, "Charging")));
  await until(
    async () =>
      (await world.redis.xrange(laneKey(lane.id), "-", "+")).every(([id]) => id !== "1-0") || (await nudge(lane, cp)),
  );
  await intake.stop();
  const entries = await world.redis.xrange(laneKey(lane.id), "-", "+");
  // What is left is at least everything beyond the committed offset.
  expect(entries.at(-1)?.[0]).toBe(lane.end);
  expect(await statusesOf(world, station.id)).toEqual(["Charging"]);
});

/** Trimming happens with the batches: one more. */
async function nudge(lane: LaneDouble, cp: ReturnType<typeof connectionOf>): Promise<false> {
  await lane.append(cp.call("Heartbeat", {}));
  await sleep(100);
  return false;
}

test("[A14] after a Postgres that lost its last commits, the replay window brings them back once", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  const start = { connectorId: 1, idTag: "TAG", meterStart: 10, timestamp: "2026-05-01T10:00:00Z" };
  await lane.append(cp.call("StatusNotification", statusPayload(1, "Available")));
  const first = world.startIntake();
  await world.applied(lane);
  await lane.append(
    cp.call("StartTransaction", start, { answer: { transactionId: 5_000, idTagInfo: { status: "Accepted" } } }),
    cp.call("MeterValues", {
      connectorId: 1,
      transactionId: 5_000,
      meterValue: [{ timestamp: "2026-05-01T10:05:00Z", sampledValue: [{ value: "20" }] }],
    }),
    cp.call("StatusNotification", statusPayload(1, "Charging")),
  );
  await lane.append(
    cp.call(
      "StopTransaction",
      { transactionId: 5_000, meterStop: 30, timestamp: "2026-05-01T11:00:00Z" },
      { answer: {} },
    ),
  );
  await world.applied(lane);
  // As a standby that lacks the last commits: rows and offset go back together, under a running intake.
  for (const table of ["meter_values", "message_log", "transactions"])
    await world.rows(`delete from ${table} where station_id = $1`, [station.id]);
  await world.rows("update connector_status set status = 'Available', seq = 1 where station_id = $1", [station.id]);
  await world.rows(`update lanes set "offset" = '1-0' where id = $1`, [lane.id]);
  await world.applied(lane);
  await first.stop();
  expect(await statusesOf(world, station.id)).toEqual(["Charging"]);
  expect(
    await world.rows("select transaction_id, state, meter_stop_wh from transactions where station_id = $1", [
      station.id,
    ]),
  ).toEqual([{ transaction_id: "5000", state: "ended", meter_stop_wh: "30" }]);
  expect(
    await world.rows("select count(*)::int as n from meter_values where station_id = $1 and transaction_id > 0", [
      station.id,
    ]),
  ).toEqual([{ n: 1 }]);
  expect(await world.rows("select count(*)::int as n from message_log where station_id = $1", [station.id])).toEqual([
    { n: 4 },
  ]);
  // No other station is ever given that id again.
  const [drawn] = await world.rows<{ id: number }>("select next_ocpp16_transaction_id(0) as id");
  expect(drawn?.id).toBeGreaterThan(5_000);
});

test("[1.6-start] a start counts as told to the station when a lane has it with the same answer", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  const known = { id: station.id, chargePointId: station.chargePointId, orgId: world.project.orgId, projectId: null };
  const start = { connectorId: 1, idTag: "TAG", meterStart: 10, timestamp: "2026-05-01T10:00:00Z" };
  const decide = (message: typeof start) =>
    startTransaction(
      sqlOn(world.database.pool),
      known,
      readStart(message) as NonNullable<ReturnType<typeof readStart>>,
      new Date(),
      world.redis,
    );
  const told = await decide(start);
  // The gateway had given up waiting for these two; the second was answered otherwise, by what is on record nowhere.
  const late = await decide({ ...start, meterStart: 11 });
  const other = await decide({ ...start, meterStart: 12 });
  await lane.append(
    cp.call("StartTransaction", start, { answer: told }),
    cp.call("StartTransaction", { ...start, meterStart: 12 }, { answer: { ...other, transactionId: 9_999 } }),
    cp.call("StartTransaction", { ...start, meterStart: 13 }, { answer: { ...other, transactionId: 7_000 } }),
  );
  const intake = world.startIntake();
  await world.applied(lane);
  await intake.stop();
  expect(
    await world.rows(
      "select transaction_id, start_confirmed_at is not null as told from transactions where station_id = $1 order by meter_start_wh",
      [station.id],
    ),
  ).toEqual([
    { transaction_id: String(told.transactionId), told: true },
    { transaction_id: String(late.transactionId), told: false },
    { transaction_id: String(other.transactionId), told: false },
    { transaction_id: "7000", told: true },
  ]);
});

test("[1.6-historic] a stop that is read before its start is back on record ends the transaction all the same", async () => {
  const station = await newStation();
  const [starts, stops] = [await world.openLane(), await world.openLane()];
  const [before, after] = [
    connectionOf(station, "1.6", 1_700_000_000_000),
    connectionOf(station, "1.6", 1_700_000_000_500),
  ];
  await stops.append(
    after.call(
      "StopTransaction",
      { transactionId: 6_000, meterStop: 30, timestamp: "2026-05-01T11:00:00Z" },
      { answer: {} },
    ),
  );
  const intake = world.startIntake();
  await world.applied(stops);
  expect(await world.rows("select reason from quarantine where station_id = $1", [station.id])).toEqual([
    { reason: "unknown transaction" },
  ]);
  await starts.append(
    before.call(
      "StartTransaction",
      { connectorId: 1, idTag: "TAG", meterStart: 10, timestamp: "2026-05-01T10:00:00Z" },
      { answer: { transactionId: 6_000, idTagInfo: { status: "Accepted" } } },
    ),
  );
  await world.applied(starts);
  await intake.stop();
  expect(await world.rows("select state, meter_stop_wh from transactions where station_id = $1", [station.id])).toEqual(
    [{ state: "ended", meter_stop_wh: "30" }],
  );
  expect(await world.rows("select reason from quarantine where station_id = $1", [station.id])).toEqual([]);
});
