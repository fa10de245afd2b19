import { afterAll, beforeAll, expect, test } from "vitest";
import { pino } from "pino";
import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import { collectEffects } from "../intake/collect-effects.ts";
import { Effects } from "../intake/effects.ts";
import { writeEffects } from "../intake/write-effects.ts";
import { findStations } from "../stations/known-station.ts";
import { createMeterShapes } from "../transactions/meter-shapes.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { connectionOf, type DoubleConnection } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";

let world: ApiWorld;
let key: string;
let projectId: string;
let installer: { installerId: string; token: string };
beforeAll(async () => {
  world = await startApiWorld();
  ({ key } = await world.organization());
  installer = await world.installer();
  projectId = await world.project(key, installer.installerId);
});
afterAll(() => world.close());

const EPOCH = 1_700_000_000_000;
const log = pino({ level: "silent" });

async function newStation(
  ocpp_version: "1.6" | "2.0.1" | "2.1",
): Promise<{ station: TestStation; cp: DoubleConnection }> {
  const serial_number = `S${Math.random()}`;
  const unit = { project_id: projectId, serial_number, model: "M", vendor: "V", ocpp_version, connector_count: 2 };
  const { body } = await world.ask("POST", "/api/v1/installer/charge-points", { as: installer.token, body: unit });
  const chargePointId = body.charge_point_id as string;
  const [row] = await world.sql.query<{ id: string; identity: TestStation["identity"] }>(
    "select id::text as id, identity from stations where charge_point_id = $1",
    [chargePointId],
  );
  if (row === undefined) throw new Error("not registered");
  const station = { ...row, chargePointId };
  return { station, cp: connectionOf(station, ocpp_version, EPOCH) };
}

/** What the intake makes of frames. */
async function file(...frames: LaneFrame[]): Promise<void> {
  const stations = await findStations(
    world.sql,
    frames.map(({ identity }) => identity),
  );
  const effects = new Effects();
  for (const frame of frames) collectEffects(frame, stations, { logHeartbeats: false }, effects);
  await writeEffects(world.sql, effects, { shapes: createMeterShapes(world.sql), laneId: "lane-test", log });
}

const get = async (path: string, as = key) => world.ask("GET", `/api/v1/sessions${path}`, { as });
const sessionsOf = async (station: TestStation, more = "") =>
  (await get(`?charge_point_id=${station.chargePointId}${more}`)).body.sessions;

let transactionIds = 700_000;
const atMs = Date.parse("2026-05-01T10:00:02Z");
const start = (cp: DoubleConnection, more: object = {}, receivedAtMs = atMs) => {
  transactionIds += 1;
  return {
    transactionId: transactionIds,
    frame: cp.call(
      "StartTransaction",
      { connectorId: 1, idTag: "CARD-1", meterStart: 1_204_500, timestamp: "2026-05-01T10:00:00Z", ...more },
      { answer: { transactionId: transactionIds, idTagInfo: { status: "Accepted" } }, atMs: receivedAtMs },
    ),
  };
};
const values = (cp: DoubleConnection, transactionId: number, minute: number, value: string) =>
  cp.call("MeterValues", {
    connectorId: 1,
    transactionId,
    meterValue: [
      {
        timestamp: `2026-05-01T10:0${minute}:00Z`,
        sampledValue: [
          { value, unit: "kWh" },
          { value: "7.40", measurand: "Power.Active.Import", unit: "kW", phase: "L1" },
          { value: "n/a", measurand: "SoC" },
        ],
      },
    ],
  });

test("a session of 1.6 from its start to its end, with exact energy and what its meter signed", async () => {
  const { station, cp } = await newStation("1.6");
  const { transactionId, frame } = start(cp);
  await file(frame, values(cp, transactionId, 5, "1205.123"));
  const [running] = await sessionsOf(station);
  expect(running).toMatchObject({
    transaction_id: String(transactionId),
    status: "active",
    ended_at: null,
    energy_kwh: 0.623,
    duration_minutes: null,
    complete: false,
  });
  const stop = {
    transactionId,
    idTag: "CARD-2",
    meterStop: 1_216_845,
    timestamp: "2026-05-01T10:42:30Z",
    reason: "EVDisconnected",
    transactionData: [
      { timestamp: "2026-05-01T10:42:30Z", sampledValue: [{ value: "OCMF|{}|{}", format: "SignedData" }] },
    ],
  };
  await file(cp.call("StopTransaction", stop, { answer: {}, atMs: Date.parse("2026-05-01T10:42:31Z") }));
  const { body } = await get(`/${running.session_id}`);
  expect(body).toEqual({
    session_id: expect.stringMatching(/^sess_[0-9a-z]{16}$/),
    transaction_id: String(transactionId),
    charge_point_id: station.chargePointId,
    project_id: projectId,
    ocpp_version: "1.6",
    evse_id: null,
    connector_id: 1,
    status: "completed",
    id_token: "CARD-1",
    id_token_type: null,
    id_token_status: "Accepted",
    started_at: "2026-05-01T10:00:00.000Z",
    start_received_at: "2026-05-01T10:00:02.000Z",
    ended_at: "2026-05-01T10:42:30.000Z",
    end_received_at: "2026-05-01T10:42:31.000Z",
    duration_minutes: 42.5,
    energy_kwh: 12.345,
    meter_start_wh: 1_204_500,
    meter_stop_wh: 1_216_845,
    stop_reason: "EVDisconnected",
    stop_id_token: "CARD-2",
    offline: false,
    complete: true,
    flags: [],
    signed_meter_values: [
      {
        sampled_at: "2026-05-01T10:42:30.000Z",
        received_at: "2026-05-01T10:42:31.000Z",
        context: null,
        measurand: null,
        signed_data: "OCMF|{}|{}",
        signing_method: null,
        encoding_method: "OCMF",
        public_key: null,
      },
    ],
    settlements: [],
  });
});

test("2.1: what a payment terminal did is kept with its session, the newest word on each payment, to the last digit", async () => {
  const { station, cp } = await newStation("2.1");
  const started = `{"eventType":"Started","timestamp":"2026-05-01T10:00:00Z","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"tx-p"}}`;
  const paid = (status: string, amount: string) =>
    cp.call(
      "NotifySettlement",
      `{"transactionId":"tx-p","pspRef":"psp-1","status":"${status}","settlementAmount":${amount},"settlementTime":"2026-05-01T11:00:00+02:00"}`,
      { atMs },
    );
  const [failed, settled] = [paid("Failed", "0"), paid("Settled", "12.3400000000000000001")];
  // From two lanes, read in the other order.
  await file(cp.call("TransactionEvent", started, { answer: {}, atMs }), settled);
  await file(failed);
  const [{ session_id }] = await sessionsOf(station);
  const response = await fetch(`${world.url}/api/v1/sessions/${session_id}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const text = await response.text();
  expect(text).toContain('"amount":12.3400000000000000001,');
  expect(JSON.parse(text).settlements).toEqual([
    {
      psp_ref: "psp-1",
      status: "Settled",
      status_info: null,
      amount: 12.34,
      settled_at: "2026-05-01T09:00:00.000Z",
      receipt_id: null,
      receipt_url: null,
      received_at: "2026-05-01T10:00:02.000Z",
    },
  ]);
});

test("readings are paged, in base units, with the station's own text beside", async () => {
  const { station, cp } = await newStation("1.6");
  const { transactionId, frame } = start(cp);
  await file(frame, ...[3, 1, 2].map((minute) => values(cp, transactionId, minute, `1204.${minute}00`)));
  const [{ session_id }] = await sessionsOf(station);
  const first = await get(`/${session_id}/meter-values?limit=2`);
  expect(first.body.meter_values.map(({ sampled_at }: { sampled_at: string }) => sampled_at)).toEqual([
    "2026-05-01T10:01:00.000Z",
    "2026-05-01T10:02:00.000Z",
  ]);
  const rest = await get(`/${session_id}/meter-values?limit=2&cursor=${first.body.next_cursor}`);
  expect(rest.body).toMatchObject({ has_more: false, next_cursor: null });
  expect(rest.body.meter_values).toEqual([
    {
      sampled_at: "2026-05-01T10:03:00.000Z",
      received_at: expect.any(String),
      samples: [
        {
          measurand: "Energy.Active.Import.Register",
          phase: null,
          location: "Outlet",
          context: "Sample.Periodic",
          unit: "Wh",
          value: 1_204_300,
          raw: "1204.300",
        },
        {
          measurand: "Power.Active.Import",
          phase: "L1",
          location: "Outlet",
          context: "Sample.Periodic",
          unit: "W",
          value: 7_400,
          raw: "7.40",
        },
        {
          measurand: "SoC",
          phase: null,
          location: "Outlet",
          context: "Sample.Periodic",
          unit: null,
          value: null,
          raw: "n/a",
        },
      ],
    },
  ]);
  expect((await get(`/${session_id}/meter-values?cursor=WyJ4Il0`)).status).toBe(422);
});

test("[C23] numbers beyond a float are shown with every digit", async () => {
  const { station, cp } = await newStation("2.0.1");
  const event = (eventType: string, seqNo: number, value: string) =>
    cp.call(
      "TransactionEvent",
      `{"eventType":"${eventType}","timestamp":"2026-05-01T10:0${seqNo}:00Z","triggerReason":"Authorized","seqNo":${seqNo},"transactionInfo":{"transactionId":"tx-1"},"evse":{"id":2},"meterValue":[{"timestamp":"2026-05-01T10:0${seqNo}:00Z","sampledValue":[{"value":${value}}]}]}`,
      { answer: {}, atMs },
    );
  await file(event("Started", 0, "9007199254740993.125"), event("Ended", 1, "9007199254742994.250"));
  const response = await fetch(`${world.url}/api/v1/sessions?charge_point_id=${station.chargePointId}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const text = await response.text();
  expect(text).toContain('"energy_kwh":2.001125,');
  expect(text).toContain('"meter_start_wh":9007199254740993.125,"meter_stop_wh":9007199254742994.250,');
  expect(JSON.parse(text).sessions).toMatchObject([
    { transaction_id: "tx-1", evse_id: 2, status: "completed", complete: true },
  ]);
});

test("2.x: a session that says no reading of its own has that of its events; one with a hole is not complete", async () => {
  const { station, cp } = await newStation("2.0.1");
  const reading = (minute: number, value: number) => ({
    meterValue: [{ timestamp: `2026-05-01T10:0${minute}:00Z`, sampledValue: [{ value }] }],
  });
  const event = (eventType: string, seqNo: number, more: object = {}) =>
    cp.call(
      "TransactionEvent",
      {
        eventType,
        timestamp: `2026-05-01T10:0${seqNo}:00Z`,
        triggerReason: "MeterValuePeriodic",
        seqNo,
        transactionInfo: { transactionId: "tx-2" },
        ...more,
      },
      { answer: {}, atMs },
    );
  await file(
    event("Started", 0),
    event("Updated", 1, reading(1, 100)),
    event("Updated", 2, reading(2, 1_600.5)),
    event("Ended", 4),
  );
  expect(await sessionsOf(station)).toMatchObject([
    { energy_kwh: 1.5005, meter_start_wh: null, meter_stop_wh: null, complete: false, flags: ["events_missing"] },
  ]);
});

test("[1.6-clock] what was odd about a session is said: clocks, times, meters, tokens, ends that never came", async () => {
  const { station, cp } = await newStation("1.6");
  const starts = [
    start(cp, { timestamp: "2026-05-01T10:06:00Z" }),
    start(cp, { timestamp: "2026-05-01T09:00:00Z", connectorId: 2 }),
    start(cp, { timestamp: "yesterday", connectorId: 3, meterStart: "x" }),
    start(cp, { timestamp: "2026-05-01T10:10:00Z" }, atMs + 900_000),
  ];
  await file(...starts.map(({ frame }) => ({ ...frame, flagged: true })));
  await file(
    cp.call(
      "StopTransaction",
      { transactionId: starts[1]?.transactionId, meterStop: 5, timestamp: "2026-05-01T08:00:00Z" },
      { answer: {}, atMs },
    ),
  );
  const shown = (await sessionsOf(station)) as Record<string, unknown>[];
  expect(shown.map(({ status, flags }) => [status, flags]).reverse()).toEqual([
    ["abandoned", ["clock_ahead", "newer_transaction"]],
    ["completed", ["late_or_clock_behind", "meter_went_backwards"]],
    ["active", ["meter_start_unreadable", "start_time_unreadable"]],
    ["active", ["late_or_clock_behind"]],
  ]);
  expect(shown.at(-2)).toMatchObject({ duration_minutes: null, energy_kwh: null, meter_stop_wh: 5 });
});

// Broken once on purpose: without the organisation in the statements of session-routes.ts, each alone, it fails: three
// sessions for none; one that is found for "not_found".
test("[I10] filters, pages, and no word of other organisations", async () => {
  const { station, cp } = await newStation("1.6");
  const started = [0, 1, 2].map((minute) =>
    start(cp, { timestamp: `2026-06-01T10:0${minute}:00Z`, idTag: `TAG-${minute}`, connectorId: minute + 1 }),
  );
  for (const { frame } of started) await file(frame);
  await file(
    cp.call(
      "StopTransaction",
      { transactionId: started[0]?.transactionId, meterStop: 2_000_000, timestamp: "2026-06-01T11:00:00Z" },
      { answer: {} },
    ),
  );
  await world.sql.query("update transactions set start_confirmed_at = null where transaction_id = $1", [
    String(started[1]?.transactionId),
  ]);
  const tokens = async (more: string) =>
    ((await sessionsOf(station, more)) as { id_token: string }[]).map(({ id_token }) => id_token);
  expect(await tokens("")).toEqual(["TAG-2", "TAG-1", "TAG-0"]);
  expect(await tokens("&status=active")).toEqual(["TAG-2"]);
  expect(await tokens("&status=unconfirmed")).toEqual(["TAG-1"]);
  expect(await tokens("&status=completed")).toEqual(["TAG-0"]);
  expect(await tokens("&id_token=tag-1")).toEqual(["TAG-1"]);
  expect(await tokens("&from=2026-06-01T10:01:00Z")).toEqual(["TAG-2", "TAG-1"]);
  expect(await tokens("&to=2026-06-01T10:01:00Z")).toEqual(["TAG-0"]);
  expect(await tokens(`&transaction_id=${started[2]?.transactionId}`)).toEqual(["TAG-2"]);
  expect(await tokens(`&project_id=${projectId}`)).toHaveLength(3);
  expect(await tokens("&project_id=proj_none")).toEqual([]);

  const page = (await get(`?charge_point_id=${station.chargePointId}&limit=2`)).body;
  const cursor = `&limit=2&cursor=${page.next_cursor}`;
  expect([page.has_more, await tokens(cursor)]).toEqual([true, ["TAG-0"]]);

  const stranger = (await world.organization()).key;
  expect((await get("", stranger)).body.sessions).toEqual([]);
  expect((await get(`?charge_point_id=${station.chargePointId}`, stranger)).body.sessions).toEqual([]);
  for (const path of ["", "/meter-values"])
    expect((await get(`/${page.sessions[0].session_id}${path}`, stranger)).body.code).toBe("not_found");
  const blind = (await world.organization(["read:charge_points"])).key;
  expect((await get("", blind)).body.code).toBe("missing_scope");
});
