import { lane as laneKey, LANE_ENDS, TRANSACTION_IDS } from "@dynamo-csms/proto/redis-keys";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inTransaction, sqlOn } from "../database.ts";
import { drawTransactionId } from "../transactions/draw-transaction-id.ts";
import { createIntakeWorld, type IntakeWorld, statusesOf, statusPayload, until } from "./intake-world.ts";
import { connectionOf, type LaneDouble } from "./lane-double.ts";
import { OpenSsl } from "./openssl.ts";
import { registerStation, type TestStation } from "./registered-station.ts";

// Postgres loses commits whose effects were answered: what the lanes hold brings them back, once, and what they hold no
// more is told.

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

const EPOCH = 1_700_000_000_000;
const AT = "2026-05-01T10:00:00Z";
const sql = () => sqlOn(world.database.pool);
const newStation = (version: "1.6" | "2.0.1" = "1.6") => registerStation(world.database.pool, world.project, version);
const goBack = (lane: LaneDouble, offset: string) =>
  world.rows(`update lanes set "offset" = $2, sealed = false, finished_at = null where id = $1`, [lane.id, offset]);
const isFinished = async (laneId: string) =>
  (await world.rows("select 1 from lanes where id = $1 and finished_at is not null", [laneId])).length > 0;
const gapsOf = (laneId: string) =>
  world.rows(`select from_entry as "from", to_entry as "to" from lane_gaps where lane_id = $1`, [laneId]);
/** As after a failover: another origin, and a sequence that is not where it was. */
const failOver = (lastId: number) =>
  world.rows("select setval('ocpp16_transaction_ids', $1), setval('ocpp16_transaction_id_origin_seen', 1)", [lastId]);
const start = (meterStart: number) => ({ connectorId: 1, idTag: "TAG", meterStart, timestamp: AT });

const draw = (on = sql()) => drawTransactionId(on, world.redis);

test("[A14] [1.6-ids] a Postgres that went back gives no transaction id twice, whoever asks first and whatever fails", async () => {
  await failOver(70);
  await world.redis.del(TRANSACTION_IDS);
  // A start that fails: what it left out stays left out, and is not left out again with each try.
  await expect(
    inTransaction(world.database.pool, async (tx) => {
      await draw(tx);
      throw new Error("broken off");
    }),
  ).rejects.toThrow("broken off");
  const drawn = await Promise.all(Array.from({ length: 80 }, () => inTransaction(world.database.pool, draw)));
  expect(new Set(drawn).size).toBe(80);
  for (const id of drawn) {
    expect(id).toBeGreaterThan(100_070);
    expect(id).toBeLessThan(100_200);
  }
  // Back to before all of that, and then some; thirty at once, of which one leaves ids out.
  await until(async () => Number(await world.redis.get(TRANSACTION_IDS)) > Math.max(...drawn));
  await failOver(1);
  const again = await Promise.all(Array.from({ length: 30 }, () => inTransaction(world.database.pool, draw)));
  expect(new Set([...drawn, ...again]).size).toBe(110);
  expect(Math.min(...again)).toBeGreaterThan(Math.max(...drawn) + 100_000);
  expect(Math.max(...again)).toBeLessThan(200_500);
  // The lane tells of a start beyond: nobody is given that one either.
  await world.rows("select pass_ocpp16_transaction_id(250000)");
  expect(await draw()).toBe(250_001);
  await world.rows("select pass_ocpp16_transaction_id(7)");
  expect(await draw()).toBe(250_002);
});

test("[A14] [1.6-ids] which id was the last is asked of Redis only then; without it none is given, and later one is", async () => {
  const away = new Redis({ port: 1, lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
  away.on("error", () => {});
  const before = await drawTransactionId(sql(), away);
  await failOver(1);
  await expect(drawTransactionId(sql(), away)).rejects.toThrow();
  away.disconnect();
  expect(await draw()).toBeGreaterThan(before);
});

/** What is on record of a station, as anybody may see it: without keys that mean nothing outside. */
async function onRecord(station: TestStation) {
  const of = (columns: string, table: string, order: string) =>
    world.rows(`select ${columns} from ${table} where station_id = $1 order by ${order}`, [station.id]);
  return {
    registration: await world.rows("select registration from stations where id = $1", [station.id]),
    boot: await of("vendor, model, booted_at", "station_boots", "1"),
    sessions: await of(
      "session_id, transaction_id, state, meter_start_wh, meter_stop_wh, start_answer, stop_answer, started_told, ended_told",
      "transactions",
      "1",
    ),
    events2: await of("transaction_id, seq_no, answer", "transaction_events", "1, 2"),
    readings: await of("sampled_at, connector, vals, transaction_id > 0 as filed", "meter_values", "1"),
    log: await of("epoch, seq, answer", "message_log", "1, 2"),
    requests: await of("csr_hash, state", "certificate_requests", "1"),
    transfers: await of("epoch, seq, vendor_id, status", "data_transfers", "1, 2"),
    reports: await of("kind", "charging_reports", "1"),
    told: await world.rows(
      "select id, type, data from events where data->>'charge_point_id' = $1 and type like 'session.%' order by id",
      [station.chargePointId],
    ),
  };
}

/** Every commit about the station is lost. */
async function lose(station: TestStation): Promise<void> {
  for (const table of [
    ...["transactions", "transaction_events", "meter_values", "message_log", "station_boots", "certificate_requests"],
    ...["data_transfers", "connector_status", "quarantine", "charging_reports", "station_connections"],
  ])
    await world.rows(`delete from ${table} where station_id = $1`, [station.id]);
  await world.rows("update stations set registration = 'unknown' where id = $1", [station.id]);
  await world.rows("delete from events where data->>'charge_point_id' = $1", [station.chargePointId]);
}

const inOrder = (a: unknown, b: unknown) => String(a).localeCompare(String(b));
const openssl = new OpenSsl();

test("[A14] [E21] what was decided and answered in 1.6 comes back from the lane as it was, under the same ids", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  const accepted = { answer: { idTagInfo: { status: "Accepted" } } };
  await lane.append(
    cp.call("BootNotification", { chargePointVendor: "V", chargePointModel: "M" }, { answer: bootAccepted }),
    cp.call("SignCertificate", { csr: openssl.request("/O=Org/CN=x").csr }, { answer: { status: "Accepted" } }),
    cp.call("DataTransfer", { vendorId: "acme" }, { answer: { status: "UnknownVendorId" } }),
    cp.call("Authorize", { idTag: "TAG" }, accepted),
    cp.call("StartTransaction", start(10), { answer: { transactionId: 2_000_001, ...accepted.answer } }),
    cp.call("MeterValues", readingsOf(2_000_001)),
  );
  await lane.append(
    cp.call("StopTransaction", { transactionId: 2_000_001, meterStop: 30, timestamp: AT, idTag: "TAG" }, accepted),
  );
  const intake = world.startIntake();
  await world.applied(lane);
  const before = await onRecord(station);
  expect(before).toMatchObject({
    registration: [{ registration: "accepted" }],
    sessions: [{ transaction_id: "2000001", state: "ended" }],
    readings: [{ filed: true }],
    requests: [{ state: "accepted" }],
    transfers: [{ status: "UnknownVendorId" }],
  });
  expect(before.told.map((event) => event["type"]).toSorted(inOrder)).toEqual([
    "session.authorized",
    "session.ended",
    "session.started",
  ]);
  await lose(station);
  await goBack(lane, "0-0");
  await world.applied(lane);
  expect(await onRecord(station)).toEqual(before);
  // Nothing was lost: the same lane again changes nothing.
  await goBack(lane, "0-0");
  await world.applied(lane);
  await intake.stop();
  expect(await onRecord(station)).toEqual(before);
});

const bootAccepted = { status: "Accepted", currentTime: AT, interval: 300 };
const readingsOf = (transactionId: number, value = "20") => ({
  connectorId: 1,
  transactionId,
  meterValue: [{ timestamp: "2026-05-01T10:05:00Z", sampledValue: [{ value }] }],
});

test("[A14] [E21] the same of 2.0.1, with the answers that the gateway gave alone", async () => {
  const station = await newStation("2.0.1");
  const lane = await world.openLane();
  const cp = connectionOf(station, "2.0.1", EPOCH);
  const event = (seqNo: number, eventType: string, more: object = {}) => ({
    eventType,
    timestamp: `2026-05-01T10:0${seqNo}:00Z`,
    triggerReason: "CablePluggedIn",
    seqNo,
    transactionInfo: { transactionId: "tx-1" },
    evse: { id: 1, connectorId: 1 },
    ...more,
  });
  await lane.append(
    cp.call(
      "BootNotification",
      { reason: "PowerUp", chargingStation: { vendorName: "V", model: "M" } },
      { answer: bootAccepted },
    ),
    cp.call("TransactionEvent", event(0, "Started", { idToken: { idToken: "TAG", type: "Central" } }), {
      answer: { idTokenInfo: { status: "Accepted" } },
    }),
    cp.call("TransactionEvent", event(1, "Ended"), { answer: {} }),
    cp.call(
      "NotifyEVChargingNeeds",
      { evseId: 1, chargingNeeds: { requestedEnergyTransfer: "AC_three_phase" } },
      { answer: { status: "Rejected" } },
    ),
  );
  const intake = world.startIntake();
  await world.applied(lane);
  const before = await onRecord(station);
  expect(before.sessions).toMatchObject([{ transaction_id: "tx-1", state: "ended", ended_told: true }]);
  expect(before.reports).toHaveLength(1);
  await lose(station);
  await goBack(lane, "0-0");
  await world.applied(lane);
  await intake.stop();
  expect(await onRecord(station)).toEqual(before);
});

test("[A14] readings and a stop that are read before their start is back on record are its own all the same", async () => {
  const station = await newStation();
  const [starts, rest] = [await world.openLane(), await world.openLane()];
  const later = connectionOf(station, "1.6", EPOCH + 500);
  await rest.append(
    later.call("MeterValues", readingsOf(2_000_002)),
    later.call("StopTransaction", { transactionId: 2_000_002, meterStop: 30, timestamp: AT }, { answer: {} }),
  );
  const intake = world.startIntake();
  await world.applied(rest);
  expect((await onRecord(station)).readings).toMatchObject([{ filed: false }]);
  await starts.append(
    connectionOf(station, "1.6", EPOCH).call("StartTransaction", start(10), {
      answer: { transactionId: 2_000_002, idTagInfo: { status: "Accepted" } },
    }),
  );
  await world.applied(starts);
  await intake.stop();
  expect(await onRecord(station)).toMatchObject({
    sessions: [{ state: "ended", meter_stop_wh: "30" }],
    readings: [{ filed: true, connector: 1, vals: [20] }],
  });
  expect(await world.rows("select * from quarantine where station_id = $1", [station.id])).toEqual([]);
});

test("[A14] the end of a command whose row is lost sets nothing aside, and holds nothing up", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  await lane.append(
    cp.event({ event: "commandSent", nodeId: lane.nodeId, commandId: "cmd_lost", sentAtMs: EPOCH }),
    cp.event({
      event: "commandOutcome",
      nodeId: lane.nodeId,
      commandId: "cmd_lost",
      outcome: { state: "accepted", response: '{"status":"Accepted"}' },
    }),
    cp.call("StatusNotification", statusPayload(1, "Available")),
  );
  const intake = world.startIntake();
  await world.applied(lane);
  await intake.stop();
  expect(await statusesOf(world, station.id)).toEqual(["Available"]);
  expect(await world.rows("select * from dead_letters where lane_id = $1", [lane.id])).toEqual([]);
});

test("[A14] a kind of reading whose id Postgres lost, and gave to another kind since, is filed under its own", async () => {
  const station = await newStation();
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  const reading = (measurand: string, minute: number) => ({
    connectorId: 1,
    meterValue: [{ timestamp: `2026-05-01T11:0${minute}:00Z`, sampledValue: [{ value: "1", measurand }] }],
  });
  const intake = world.startIntake();
  await lane.append(cp.call("MeterValues", reading("Voltage", 0)));
  await world.applied(lane);
  const shapeOf = async (minute: number) =>
    (
      await world.rows<{ measurand: string }>(
        `select s.members::json->0->>'measurand' as measurand from meter_values m join meter_shapes s on s.id = m.shape
         where m.station_id = $1 and m.sampled_at = $2`,
        [station.id, `2026-05-01T11:0${minute}:00Z`],
      )
    )[0]?.measurand;
  expect(await shapeOf(0)).toBe("Voltage");
  await world.rows(
    `update meter_shapes set digest = sha256('another'), members = '[{"measurand":"Temperature"}]' where members like '%Voltage%'`,
  );
  await lane.append(cp.call("MeterValues", reading("Voltage", 1)));
  await world.applied(lane);
  await intake.stop();
  expect(await shapeOf(1)).toBe("Voltage");
});

test("[A14] [E21] a lane that ended in the time that Postgres lost, and what was trimmed of another, are gaps that are told", async () => {
  const station = await newStation();
  const [ended, unknown, whole, trimmed] = [
    await world.openLane(),
    await world.openLane(),
    await world.openLane(),
    await world.openLane(),
  ];
  for (const lane of [ended, unknown, whole, trimmed]) {
    await lane.append(connectionOf(station, "1.6", EPOCH).call("StatusNotification", statusPayload(1, "Available")));
    await lane.append(connectionOf(station, "1.6", EPOCH + 1).call("StatusNotification", statusPayload(1, "Charging")));
  }
  const first = world.startIntake({ replayWindowMs: 0 });
  await world.applied(ended, unknown, whole, trimmed);
  for (const lane of [ended, unknown, whole]) await lane.die();
  for (const lane of [ended, unknown, whole]) await until(() => isFinished(lane.id));
  await first.stop();
  expect(await world.redis.exists(laneKey(ended.id))).toBe(0);
  await world.redis.xtrim(laneKey(trimmed.id), "MAXLEN", 0);
  // Postgres comes back as it was before: of one it knows the beginning, of one nothing, of one the end but not that it ended.
  await goBack(ended, "1-0");
  await world.rows("delete from lanes where id = $1", [unknown.id]);
  await goBack(whole, whole.end);
  await goBack(trimmed, "1-0");
  const second = world.startIntake({ replayWindowMs: 0 });
  for (const lane of [ended, unknown, whole]) await until(() => isFinished(lane.id));
  await world.applied(trimmed);
  expect(await gapsOf(ended.id)).toEqual([{ from: "2-0", to: "2-0" }]);
  expect(await gapsOf(unknown.id)).toEqual([{ from: "1-0", to: "2-0" }]);
  expect(await gapsOf(whole.id)).toEqual([]);
  expect(await gapsOf(trimmed.id)).toEqual([{ from: "2-0", to: "2-0" }]);
  // A lane that was gone over goes on, and comes to its end.
  await trimmed.append(connectionOf(station, "1.6", EPOCH + 2).call("Heartbeat", {}));
  await world.applied(trimmed);
  await trimmed.die();
  await until(() => isFinished(trimmed.id));
  await second.stop();
  expect(await gapsOf(trimmed.id)).toHaveLength(1);
  expect(JSON.parse((await world.redis.hget(LANE_ENDS, trimmed.id)) as string)).toMatchObject({ last: 3 });
});

test("[A14] ends of lanes that are older than any backup are forgotten", async () => {
  await world.redis.hset(LANE_ENDS, "lane-old", JSON.stringify({ nodeId: "n", last: 9, endedAtMs: 1 }));
  await world.redis.hset(LANE_ENDS, "lane-broken", "{");
  const intake = world.startIntake();
  await until(async () => (await world.redis.hexists(LANE_ENDS, "lane-old")) === 0);
  await intake.stop();
  expect(await world.redis.hexists(LANE_ENDS, "lane-broken")).toBe(0);
  expect(await world.rows("select * from lanes where id like 'lane-old%' or id like 'lane-broken%'")).toEqual([]);
});
