import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

let world: IntakeWorld;
beforeAll(async () => {
  world = await createIntakeWorld(3);
  world.startIntake();
});
afterAll(() => world.close());

const opened: LaneEvent = {
  event: "opened",
  nodeId: "node-a",
  remoteAddress: "192.0.2.7",
  subprotocol: "ocpp1.6",
  notes: ["trailing-slash"],
  listener: 2,
};

test("every kind of 1.6 frame becomes its rows", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  const start = { connectorId: 1, idTag: "TAG1", meterStart: 1000, timestamp: "2026-05-01T10:00:00Z" };
  await lane.append(
    cp.event(opened),
    cp.call(
      "BootNotification",
      { chargePointVendor: "Acme", chargePointModel: "X1", firmwareVersion: "3.4.1" },
      { answer: { status: "Accepted", currentTime: "2026-05-01T10:00:00Z", interval: 300 } },
    ),
    cp.call("Heartbeat", {}),
    cp.call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Available" }),
    cp.call("StatusNotification", {
      connectorId: 1,
      errorCode: "NoError",
      status: "Preparing",
      timestamp: "2026-05-01T10:00:01Z",
    }),
  );
  await lane.append(
    cp.call("StartTransaction", start, { answer: { transactionId: 77, idTagInfo: { status: "Accepted" } } }),
    cp.call("MeterValues", {
      connectorId: 1,
      transactionId: 77,
      meterValue: [
        {
          timestamp: "2026-05-01T10:05:00Z",
          sampledValue: [
            { value: "1.250", unit: "kWh" },
            { value: "7.4", measurand: "Power.Active.Import", unit: "kW" },
            { value: "n/a", measurand: "SoC" },
          ],
        },
      ],
    }),
    cp.call(
      "StopTransaction",
      {
        transactionId: 77,
        meterStop: 2500,
        timestamp: "2026-05-01T11:00:00Z",
        reason: "EVDisconnected",
        transactionData: [
          { timestamp: "2026-05-01T11:00:00Z", sampledValue: [{ value: "2500", context: "Transaction.End" }] },
        ],
      },
      { answer: {} },
    ),
  );
  await world.applied(lane);

  expect(
    await world.rows(
      "select firmware_version, registration from station_boots join stations on id = station_id where id = $1",
      [station.id],
    ),
  ).toEqual([{ firmware_version: "3.4.1", registration: "accepted" }]);
  expect(
    await world.rows("select evse_id, connector_id, status from connector_status where station_id = $1", [station.id]),
  ).toEqual([{ evse_id: 0, connector_id: 1, status: "Preparing" }]);
  expect(
    await world.rows(
      "select node_id, remote_address, listener, notes, connected_told, closed_at from station_connections where station_id = $1",
      [station.id],
    ),
  ).toEqual([
    {
      node_id: "node-a",
      remote_address: "192.0.2.7",
      listener: 2,
      notes: ["trailing-slash"],
      connected_told: true,
      closed_at: null,
    },
  ]);
  // The stop's own readings, too, are filed under the connector of its transaction.
  expect(
    await world.rows("select connector, vals::text from meter_values where station_id = $1 order by sampled_at", [
      station.id,
    ]),
  ).toEqual([
    { connector: 1, vals: "{1250,7400,NULL}" },
    { connector: 1, vals: "{2500}" },
  ]);
  const [seen] = await world.rows<{ last_heartbeat_at: Date | null }>(
    "select last_heartbeat_at from station_seen where station_id = $1",
    [station.id],
  );
  expect(seen?.last_heartbeat_at).toBeInstanceOf(Date);
  expect(
    await world.rows(
      "select transaction_id, state, meter_start_wh, meter_stop_wh, stop_reason from transactions where station_id = $1",
      [station.id],
    ),
  ).toEqual([
    {
      transaction_id: "77",
      state: "ended",
      meter_start_wh: "1000",
      meter_stop_wh: "2500",
      stop_reason: "EVDisconnected",
    },
  ]);
  // 1.250 kWh follows from 1250 Wh and the shift of 3, 7.4 kW (and not 7.400) does not follow from 7400 W.
  const [reading] = await world.rows<{ vals: string; raw: (string | null)[]; members: string; known: boolean }>(
    `select vals::text, raw, members, t.id is not null as known from meter_values m join meter_shapes s on s.id = m.shape
     left join transactions t on t.id = m.transaction_id where m.station_id = $1 order by sampled_at`,
    [station.id],
  );
  expect(reading).toMatchObject({ vals: "{1250,7400,NULL}", raw: [null, "7.4", "n/a"], known: true });
  expect(JSON.parse(reading?.members ?? "")).toMatchObject([
    { measurand: "Energy.Active.Import.Register", unit: "Wh", shift: 3 },
    { unit: "W" },
    { measurand: "SoC" },
  ]);
  expect(
    await world.rows(
      "select type, data->>'status' as status, data->>'previous_status' as before from events where data->>'charge_point_id' = $1 order by type, occurred_at, status",
      [station.chargePointId],
    ),
  ).toEqual([
    { type: "charge_point.connected", status: null, before: null },
    { type: "charge_point.status_changed", status: "Available", before: null },
    { type: "charge_point.status_changed", status: "Preparing", before: "Available" },
    { type: "session.ended", status: null, before: null },
    { type: "session.started", status: null, before: null },
  ]);
  const log = await world.rows(
    "select action, answer is not null as answered from message_log where station_id = $1 order by seq",
    [station.id],
  );
  expect(log).toEqual([
    { action: "BootNotification", answered: true },
    { action: "StatusNotification", answered: false },
    { action: "StatusNotification", answered: false },
    { action: "StartTransaction", answered: true },
    { action: "MeterValues", answered: false },
    { action: "StopTransaction", answered: true },
  ]);
  expect(await world.rows("select * from quarantine where station_id = $1", [station.id])).toEqual([]);
});

test("[C15] [1.6-seqno] every kind of 2.0.1 frame becomes its rows, whatever the order of the events", async () => {
  const station = await registerStation(world.database.pool, world.project, "2.0.1");
  const lane = await world.openLane();
  const cs = connectionOf(station, "2.0.1", 1_700_000_000_000);
  const energy = (value: string, context: string) =>
    `[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":${value},"context":"${context}","measurand":"Energy.Active.Import.Register"}]}]`;
  const event = (eventType: string, seqNo: number, rest: string) =>
    `{"eventType":"${eventType}","timestamp":"2026-05-01T10:0${seqNo}:00Z","triggerReason":"Authorized","seqNo":${seqNo},"transactionInfo":{"transactionId":"tx-1"},"evse":{"id":2,"connectorId":1}${rest}}`;
  await lane.append(
    cs.call(
      "BootNotification",
      { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "X2", firmwareVersion: "9.0" } },
      { answer: { status: "Accepted", currentTime: "2026-05-01T10:00:00Z", interval: 300 } },
    ),
    cs.call("StatusNotification", {
      timestamp: "2026-05-01T10:00:00Z",
      connectorStatus: "Occupied",
      evseId: 2,
      connectorId: 1,
    }),
    cs.call("MeterValues", `{"evseId":2,"meterValue":${energy("9007199254740993", "Sample.Clock")}}`),
    cs.call("TransactionEvent", event("Ended", 2, `,"meterValue":${energy("1500.50", "Transaction.End")}`), {
      answer: {},
    }),
    cs.call(
      "TransactionEvent",
      event(
        "Started",
        0,
        `,"idToken":{"idToken":"ABC","type":"ISO14443"},"meterValue":${energy("1000", "Transaction.Begin")}`,
      ),
      { answer: { idTokenInfo: { status: "Accepted" } } },
    ),
    cs.call("TransactionEvent", event("Updated", 1, "")),
  );
  await world.applied(lane);

  expect(
    await world.rows(
      "select transaction_id, state, evse_id, id_token, meter_start_wh, meter_stop_wh, last_seq_no, started_at is not null as started from transactions where station_id = $1",
      [station.id],
    ),
  ).toEqual([
    {
      transaction_id: "tx-1",
      state: "ended",
      evse_id: 2,
      id_token: "ABC",
      meter_start_wh: "1000",
      meter_stop_wh: "1500.50",
      last_seq_no: 2,
      started: true,
    },
  ]);
  expect(
    await world.rows("select seq_no, answer from transaction_events where station_id = $1 order by seq_no", [
      station.id,
    ]),
  ).toEqual([
    { seq_no: 0, answer: { idTokenInfo: { status: "Accepted" } } },
    { seq_no: 1, answer: null },
    { seq_no: 2, answer: {} },
  ]);
  expect(
    await world.rows(
      "select vals::text, connector, transaction_id = 0 as outside from meter_values where station_id = $1 order by vals[1]",
      [station.id],
    ),
  ).toEqual([
    { vals: "{1000}", connector: 2, outside: false },
    { vals: "{1500.50}", connector: 2, outside: false },
    { vals: "{9007199254740993}", connector: 2, outside: true },
  ]);
  expect(
    await world.rows("select evse_id, connector_id, status from connector_status where station_id = $1", [station.id]),
  ).toEqual([{ evse_id: 2, connector_id: 1, status: "Occupied" }]);
});

test("[1.6-flagged] a frame that was refused has no effect but its log row; flagged transaction data counts and is set aside too", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  const refused = {
    ...cp.call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Available" }),
    answer: '[4,"m","InternalError","",{}]',
  };
  await lane.append(
    refused,
    cp.call(
      "StopTransaction",
      { transactionId: 5, meterStop: 1, timestamp: "yesterday" },
      { answer: {}, flagged: true },
    ),
  );
  await world.applied(lane);
  expect(await world.rows("select * from connector_status where station_id = $1", [station.id])).toEqual([]);
  expect(await world.rows("select action, reason from quarantine where station_id = $1", [station.id])).toEqual([
    { action: "StopTransaction", reason: "unknown transaction" },
  ]);
  expect(
    await world.rows("select action, flagged from message_log where station_id = $1 order by seq", [station.id]),
  ).toEqual([
    { action: "StatusNotification", flagged: false },
    { action: "StopTransaction", flagged: true },
  ]);
});

test("[C23] what Postgres cannot hold is stored all the same: U+0000, lone surrogates, numbers without end", async () => {
  const station = await registerStation(world.database.pool, world.project, "2.0.1");
  const lane = await world.openLane();
  const cs = connectionOf(station, "2.0.1", 1_700_000_000_000);
  const info =
    '{"reason":"PowerUp","chargingStation":{"vendorName":"A\\u0000B","model":"\\ud800","customData":{"vendorId":"x","n":1e99999,"exact":9007199254740993}}}';
  await lane.append(
    cs.call("BootNotification", info, {
      answer: { status: "Accepted", currentTime: "2026-05-01T10:00:00Z", interval: 300 },
    }),
    cs.call("StatusNotification", {
      timestamp: "0000-01-01T00:00:00Z",
      connectorStatus: "Available",
      evseId: 1,
      connectorId: 1,
    }),
    cs.call(
      "MeterValues",
      '{"evseId":1,"meterValue":[{"timestamp":"0000-01-01T00:00:00Z","sampledValue":[{"value":1e400,"measurand":"Voltage\\u0000"}]}]}',
    ),
  );
  await world.applied(lane);
  expect(
    await world.rows(
      "select vendor, payload->'chargingStation'->'customData'->>'n' as n, payload->'chargingStation'->'customData'->>'exact' as exact from station_boots where station_id = $1",
      [station.id],
    ),
  ).toEqual([{ vendor: "A\uFFFDB", n: "1e99999", exact: "9007199254740993" }]);
  expect(
    await world.rows("select status, reported_at from connector_status where station_id = $1", [station.id]),
  ).toEqual([{ status: "Available", reported_at: null }]);
  expect(await world.rows("select vals::text, raw from meter_values where station_id = $1", [station.id])).toEqual([
    { vals: "{NULL}", raw: ["1e400"] },
  ]);
  expect(await world.rows("select * from dead_letters where identity = $1", [station.identity])).toEqual([]);
});

test("[1.6-unknown] a reading of an unknown transaction is kept outside of transactions, and its message set aside", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  const values = (transactionId: number) => ({
    connectorId: 1,
    transactionId,
    meterValue: [{ timestamp: `2026-05-01T10:00:0${transactionId < 0 ? 1 : 2}Z`, sampledValue: [{ value: "5" }] }],
  });
  await lane.append(cp.call("MeterValues", values(999_999)), cp.call("MeterValues", values(-1)));
  await world.applied(lane);
  expect(
    await world.rows("select transaction_id::int as id, vals::text from meter_values where station_id = $1", [
      station.id,
    ]),
  ).toEqual([
    { id: 0, vals: "{5}" },
    { id: 0, vals: "{5}" },
  ]);
  expect(await world.rows("select seq, reason from quarantine where station_id = $1", [station.id])).toEqual([
    { seq: 1, reason: "unknown transaction" },
  ]);
});
