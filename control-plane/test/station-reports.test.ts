import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AnsweredCommand, recordAnswer } from "./answered-command.ts";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation, type TestStation } from "./registered-station.ts";

let world: IntakeWorld;
beforeAll(async () => {
  world = await createIntakeWorld(11);
  world.startIntake();
});
afterAll(() => world.close());

const EPOCH = 1_700_000_000_000;
const newStation = (version: OcppVersion) => registerStation(world.database.pool, world.project, version);

/** As in production: nothing reaches the intake, or an effect, that its schema does not allow. */
const valid = (version: OcppVersion, action: string, kind: "request" | "response", payload: object): object => {
  expect({ action, mistake: validatePayload(version, action, kind, payload) }).toEqual({ action, mistake: undefined });
  return payload;
};
const answered = (...[station, version, action, payload, response, as]: AnsweredCommand) =>
  recordAnswer(world.database.pool, world.project.orgId, EPOCH, [
    station,
    version,
    action,
    valid(version, action, "request", payload),
    valid(version, action, "response", response),
    as,
  ]);

/** The station's messages, in one entry, in this order; numbered on from the connection's last. */
async function sends(
  station: TestStation,
  version: OcppVersion,
  messages: readonly (readonly [action: string, payload: object])[],
  cp = connectionOf(station, version, EPOCH),
) {
  const lane = await world.openLane();
  await lane.append(
    ...messages.map(([action, payload]) => cp.call(action, valid(version, action, "request", payload))),
  );
  await world.applied(lane);
  return cp;
}

type Item = { key: string; present: boolean } & Record<string, unknown>;
const itemsOf = async (station: TestStation, kind: string) =>
  (
    await world.rows<{ item_key: string; present: boolean; data: Record<string, unknown> }>(
      "select item_key, present, data from station_items where station_id = $1 and kind = $2 order by item_key",
      [station.id, kind],
    )
  ).map(({ item_key, present, data }): Item => ({ key: item_key, present, ...data }));

const alertsOf = (station: TestStation) =>
  world.rows(
    "select data->>'type' as type, data->>'source' as source from events where type = 'alert.triggered' and data->>'charge_point_id' = $1 order by recorded_at, 1",
    [station.chargePointId],
  );

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "[1.8-events] security events of a %s station are kept, each once, and the critical ones are told once",
  async (version) => {
    const station = await newStation(version);
    const tamper = { type: "TamperDetectionActivated", timestamp: "2026-05-01T10:00:00Z", techInfo: "cover" };
    const cp = await sends(station, version, [
      ["SecurityEventNotification", tamper],
      ["SecurityEventNotification", { ...tamper, techInfo: "lid" }],
      ["SecurityEventNotification", { type: "InvalidMessages", timestamp: "2026-05-01T10:00:00Z" }],
    ]);
    // Resent, since its answer was lost.
    await sends(station, version, [["SecurityEventNotification", tamper]], cp);
    const lane = await world.openLane();
    await lane.append(
      cp.event({ event: "securityEvent", nodeId: "node-a", type: "InvalidTLSVersion", techInfo: "TLS 1.0" }),
      cp.event({ event: "securityEvent", nodeId: "node-a", type: "InvalidTLSVersion", techInfo: "TLS 1.0" }),
    );
    await world.applied(lane);
    expect(
      await world.rows(
        "select source, type, tech_info, critical from security_events where station_id = $1 order by source desc, type desc, tech_info",
        [station.id],
      ),
    ).toEqual([
      { source: "station", type: "TamperDetectionActivated", tech_info: "cover", critical: true },
      { source: "station", type: "TamperDetectionActivated", tech_info: "lid", critical: true },
      { source: "station", type: "InvalidMessages", tech_info: null, critical: false },
      // Noticed twice, so it happened twice.
      { source: "csms", type: "InvalidTLSVersion", tech_info: "TLS 1.0", critical: true },
      { source: "csms", type: "InvalidTLSVersion", tech_info: "TLS 1.0", critical: true },
    ]);
    expect((await alertsOf(station)).map(({ type, source }) => `${String(type)} by ${String(source)}`).sort()).toEqual([
      "InvalidTLSVersion by csms",
      "InvalidTLSVersion by csms",
      "TamperDetectionActivated by charge_point",
      "TamperDetectionActivated by charge_point",
    ]);
  },
);

test("[1.8-events] security events are append-only: only their retention shortens them", async () => {
  const station = await newStation("2.0.1");
  await sends(station, "2.0.1", [
    ["SecurityEventNotification", { type: "MemoryExhaustion", timestamp: "2026-05-01T10:00:00Z" }],
  ]);
  const refused = /append-only/;
  await expect(world.rows("update security_events set type = 'x'")).rejects.toThrow(refused);
  await expect(world.rows("delete from security_events")).rejects.toThrow(refused);
  await expect(world.rows("truncate security_events")).rejects.toThrow(refused);
  await world.rows("select forget_security_events('2000-01-01')");
  const left = "select 1 from security_events where station_id = $1";
  expect(await world.rows(left, [station.id])).toHaveLength(1);
  await world.rows("select forget_security_events(now() + interval '1 hour')");
  expect(await world.rows(left, [station.id])).toEqual([]);
  await expect(world.rows("update security_events set type = 'x' where false")).resolves.toEqual([]);
});

test("[C15] an event is the same when all of it is: eventId starts again with a reboot", async () => {
  const station = await newStation("2.1");
  const event = (timestamp: string, actualValue: string, variable = "Temperature") => ({
    generatedAt: timestamp,
    seqNo: 0,
    eventData: [
      {
        eventId: 1,
        timestamp,
        trigger: "Alerting",
        actualValue,
        eventNotificationType: "CustomMonitor",
        component: { name: "Connector" },
        variable: { name: variable },
      },
    ],
  });
  await sends(station, "2.1", [
    ["NotifyEvent", event("2026-05-01T10:00:00Z", "80")],
    ["NotifyEvent", event("2026-05-01T10:00:00Z", "80")],
    ["NotifyEvent", event("2026-05-01T11:00:00Z", "82")],
    ["NotifyEvent", event("2026-05-01T12:00:00Z", "topsecret", "WifiPassword")],
  ]);
  expect(
    await world.rows(
      "select data->'eventId' as id, data->>'actualValue' as value from station_events where station_id = $1 order by occurred_at",
      [station.id],
    ),
  ).toEqual([
    { id: 1, value: "80" },
    { id: 1, value: "82" },
    { id: 1, value: null },
  ]);
  expect(
    await world.rows("select variable, value from station_variables where station_id = $1 order by key", [station.id]),
  ).toEqual([
    { variable: "Temperature", value: "82" },
    { variable: "WifiPassword", value: null },
  ]);
});

test("monitors: set, reported, cleared, and taken away by a monitoring base", async () => {
  const station = await newStation("2.0.1");
  const about = { component: { name: "Connector" }, variable: { name: "Temperature" } };
  const asked = { ...about, value: 80, type: "UpperThreshold", severity: 4 };
  const result = { ...about, type: "UpperThreshold", severity: 4 };
  await answered(
    station,
    "2.0.1",
    "SetVariableMonitoring",
    { setMonitoringData: [asked, { ...asked, type: "Delta" }] },
    {
      setMonitoringResult: [
        { ...result, type: "Delta", status: "UnsupportedMonitorType" },
        { ...result, status: "Accepted", id: 12 },
      ],
    },
    { seq: 2 },
  );
  const monitor = { id: 3, transaction: false, value: 1, type: "Delta", severity: 5 };
  const cp = connectionOf(station, "2.0.1", EPOCH + 1);
  await sends(
    station,
    "2.0.1",
    [
      [
        "NotifyMonitoringReport",
        {
          requestId: 1,
          seqNo: 0,
          generatedAt: "2026-05-01T10:00:00Z",
          monitor: [{ ...about, variableMonitoring: [monitor] }],
        },
      ],
    ],
    cp,
  );
  expect(await itemsOf(station, "monitor")).toMatchObject([
    { key: "12", present: true, value: 80, type: "UpperThreshold", set_by: "CustomMonitor" },
    { key: "3", present: true, value: 1, set_by: null },
  ]);
  await answered(
    station,
    "2.0.1",
    "ClearVariableMonitoring",
    { id: [12, 3] },
    {
      clearMonitoringResult: [
        { id: 12, status: "Rejected" },
        { id: 3, status: "Accepted" },
      ],
    },
    { seq: 5 },
  );
  // Its answer came before the report that names it: a clearing yields to a later word, too.
  expect((await itemsOf(station, "monitor")).map(({ key, present }) => [key, present])).toEqual([
    ["12", true],
    ["3", true],
  ]);
  await answered(station, "2.0.1", "SetMonitoringLevel", { severity: 3 }, { status: "Accepted" }, { seq: 6 });
  await answered(
    station,
    "2.0.1",
    "SetMonitoringBase",
    { monitoringBase: "FactoryDefault" },
    { status: "Accepted" },
    { seq: 7 },
  );
  expect(await itemsOf(station, "monitoring")).toEqual([{ key: "", present: true, level: 3, base: "FactoryDefault" }]);
  expect((await itemsOf(station, "monitor")).map(({ key, present }) => [key, present])).toEqual([
    ["12", false],
    ["3", true],
  ]);
});

test("[C18] what a monitoring report says once of a thousand monitors is not kept a thousand times", async () => {
  const station = await newStation("2.1");
  const padding = { vendorId: "V", padding: "x".repeat(200_000) };
  const monitor = (id: number) => ({
    id,
    transaction: false,
    value: 1,
    type: "Delta",
    severity: 5,
    eventNotificationType: "CustomMonitor",
  });
  await sends(station, "2.1", [
    [
      "NotifyMonitoringReport",
      {
        requestId: 1,
        seqNo: 0,
        generatedAt: "2026-05-01T10:00:00Z",
        monitor: [
          {
            component: { name: "Connector", evse: { id: 1, connectorId: 2, customData: padding }, customData: padding },
            variable: { name: "Temperature", customData: padding },
            variableMonitoring: Array.from({ length: 1_000 }, (_, id) => monitor(id)),
          },
        ],
      },
    ],
  ]);
  const [stored] = await world.rows(
    "select count(*)::int as n, max(length(data::text)) < 1000 as small from station_items where station_id = $1",
    [station.id],
  );
  expect(stored).toEqual({ n: 1_000, small: true });
  expect(await itemsOf(station, "monitor")).toContainEqual(
    expect.objectContaining({
      component: { name: "Connector", evse: { id: 1, connectorId: 2 } },
      variable: { name: "Temperature" },
    }),
  );
});

test("display messages: set, told, cleared; what was refused is not there", async () => {
  const station = await newStation("2.0.1");
  const message = (id: number, content: string) => ({
    id,
    priority: "NormalCycle",
    message: { format: "UTF8", content },
  });
  await answered(
    station,
    "2.0.1",
    "SetDisplayMessage",
    { message: message(1, "Hello") },
    { status: "Accepted" },
    { seq: 2 },
  );
  await answered(
    station,
    "2.0.1",
    "SetDisplayMessage",
    { message: message(2, "No") },
    { status: "NotSupportedPriority" },
    { seq: 3, state: "rejected" },
  );
  await answered(station, "2.0.1", "ClearDisplayMessage", { id: 1 }, { status: "Accepted" }, { seq: 4 });
  const cp = connectionOf(station, "2.0.1", EPOCH + 1);
  await sends(
    station,
    "2.0.1",
    [["NotifyDisplayMessages", { requestId: 1, messageInfo: [message(3, "Told\u0000")] }]],
    cp,
  );
  expect(await itemsOf(station, "display_message")).toMatchObject([
    { key: "1", present: false },
    { key: "3", present: true, message: { message: { content: "Told\uFFFD" } } },
  ]);
});

test("2.1: DER controls as set, superseded, started, reported and cleared", async () => {
  const station = await newStation("2.1");
  const limit = (priority: number) => ({ priority, pctMaxDischargePower: 70 });
  const set = (controlId: string, isDefault: boolean) => ({
    isDefault,
    controlId,
    controlType: "LimitMaxDischarge",
    limitMaxDischarge: limit(1),
  });
  await answered(station, "2.1", "SetDERControl", set("a", true), { status: "Accepted" }, { seq: 2 });
  await answered(
    station,
    "2.1",
    "SetDERControl",
    set("b", false),
    { status: "Accepted", supersededIds: ["a"] },
    { seq: 3 },
  );
  await answered(
    station,
    "2.1",
    "SetDERControl",
    set("c", false),
    { status: "NotSupported" },
    { seq: 4, state: "rejected" },
  );
  const cp = connectionOf(station, "2.1", EPOCH + 1);
  await sends(
    station,
    "2.1",
    [
      ["NotifyDERStartStop", { controlId: "b", started: true, timestamp: "2026-05-01T10:00:00Z" }],
      [
        "ReportDERControl",
        {
          requestId: 1,
          freqDroop: [
            {
              id: "d",
              isDefault: false,
              isSuperseded: false,
              freqDroop: { priority: 1, overFreq: 51, underFreq: 49, overDroop: 1, underDroop: 1, responseTime: 1 },
            },
          ],
        },
      ],
      ["NotifyDERAlarm", { controlType: "LimitMaxDischarge", timestamp: "2026-05-01T10:00:00Z" }],
      ["NotifyDERAlarm", { controlType: "LimitMaxDischarge", timestamp: "2026-05-01T10:00:00Z" }],
    ],
    cp,
  );
  expect(await itemsOf(station, "der_control")).toMatchObject([
    { key: "a", present: true, is_default: true, is_superseded: true, settings: limit(1) },
    { key: "b", present: true, is_default: false, is_superseded: false, started: true },
    { key: "d", present: true, control_type: "FreqDroop", settings: { overFreq: 51 } },
  ]);
  expect(
    await world.rows("select kind from station_notices where station_id = $1 order by kind", [station.id]),
  ).toEqual([{ kind: "der_alarm" }, { kind: "der_start_stop" }]);
  const late = { seq: 9 };
  await answered(station, "2.1", "ClearDERControl", { isDefault: true }, { status: "Accepted" }, late);
  expect((await itemsOf(station, "der_control")).map(({ key, present }) => [key, present])).toEqual([
    ["a", false],
    ["b", true],
    ["d", true],
  ]);
});

test("2.1: tariffs as set, replaced, listed and cleared", async () => {
  const station = await newStation("2.1");
  const tariff = (tariffId: string) => ({ tariffId, currency: "EUR", energy: { prices: [{ priceKwh: 0.3 }] } });
  const inForce = async () => (await itemsOf(station, "tariff")).filter(({ present }) => present).map(({ key }) => key);
  await answered(
    station,
    "2.1",
    "SetDefaultTariff",
    { evseId: 1, tariff: tariff("day") },
    { status: "Accepted" },
    { seq: 2 },
  );
  await answered(
    station,
    "2.1",
    "SetDefaultTariff",
    { evseId: 2, tariff: tariff("two") },
    { status: "Accepted" },
    { seq: 3 },
  );
  await answered(
    station,
    "2.1",
    "SetDefaultTariff",
    { evseId: 1, tariff: tariff("night") },
    { status: "Accepted" },
    { seq: 4 },
  );
  expect(await inForce()).toEqual(["night", "two"]);
  await answered(
    station,
    "2.1",
    "ChangeTransactionTariff",
    { transactionId: "tx1", tariff: tariff("special") },
    { status: "Accepted" },
    { seq: 5 },
  );
  await answered(
    station,
    "2.1",
    "GetTariffs",
    { evseId: 0 },
    {
      status: "Accepted",
      tariffAssignments: [
        { tariffId: "night", tariffKind: "DefaultTariff", evseIds: [1] },
        { tariffId: "driver", tariffKind: "DriverTariff", idTokens: ["04A2"] },
      ],
    },
    { seq: 6 },
  );
  expect(await inForce()).toEqual(["driver", "night", "transaction/tx1"]);
  expect(JSON.stringify(await itemsOf(station, "tariff"))).not.toContain("04A2");
  await answered(
    station,
    "2.1",
    "ClearTariffs",
    { tariffIds: ["night"] },
    { clearTariffsResult: [{ status: "Accepted", tariffId: "night" }] },
    { seq: 7 },
  );
  expect(await inForce()).toEqual(["driver", "transaction/tx1"]);
});

test("[F4] 2.1: what a SEND tells is in force: event streams with their newest values", async () => {
  const station = await newStation("2.1");
  const values = (count: number, from: number) => ({
    id: 1,
    pending: 0,
    basetime: "2026-05-01T10:00:00Z",
    data: Array.from({ length: count }, (_, n) => ({ t: n * 0.5, v: String(from + n) })),
  });
  const cp = await sends(station, "2.1", [
    ["OpenPeriodicEventStream", { constantStreamData: { id: 1, variableMonitoringId: 12, params: { interval: 60 } } }],
    ...Array.from({ length: 50 }, (_, n) => ["NotifyPeriodicEventStream", values(150, n * 1_000)] as const),
  ]);
  const [stream] = await itemsOf(station, "event_stream");
  expect(stream).toMatchObject({ key: "1", present: true, monitor_id: 12, interval_seconds: 60 });
  expect(stream?.["values"]).toHaveLength(100);
  expect((stream as { values: object[] } & Item).values.at(-1)).toEqual({
    at: "2026-05-01T10:01:14.500Z",
    value: "49149",
  });
  await answered(
    station,
    "2.1",
    "AdjustPeriodicEventStream",
    { id: 1, params: { interval: 5 } },
    { status: "Accepted" },
    { seq: 100 },
  );
  expect(await itemsOf(station, "event_stream")).toMatchObject([
    { present: true, interval_seconds: 5, monitor_id: 12 },
  ]);
  await answered(station, "2.1", "GetPeriodicEventStream", {}, {}, { seq: 101 });
  expect(await itemsOf(station, "event_stream")).toMatchObject([{ present: false }]);
  const late = connectionOf(station, "2.1", EPOCH + 1);
  await sends(station, "2.1", [["ClosePeriodicEventStream", { id: 1 }]], late);
  expect(await itemsOf(station, "event_stream")).toMatchObject([{ present: false, monitor_id: 12 }]);
  expect(cp).toBeDefined();
});

test("2.1: a battery swap is filed once, without whose it was; priority charging as often as it is told", async () => {
  const station = await newStation("2.1");
  const swap = {
    requestId: 5,
    eventType: "BatteryIn",
    idToken: { idToken: "04A2B3", type: "ISO14443" },
    batteryData: [{ evseId: 1, serialNumber: "B-17", soC: 20, soH: 99 }],
  };
  const priority = { transactionId: "tx1", activated: true };
  await sends(station, "2.1", [
    ["BatterySwap", swap],
    ["BatterySwap", swap],
    ["NotifyPriorityCharging", priority],
    ["NotifyPriorityCharging", priority],
  ]);
  const notices = await world.rows("select kind, data from station_notices where station_id = $1 order by id", [
    station.id,
  ]);
  expect(notices.filter(({ kind }) => kind === "battery_swap")).toHaveLength(1);
  expect(notices.filter(({ kind }) => kind === "priority_charging")).toHaveLength(2);
  expect(JSON.stringify(notices)).not.toContain("04A2B3");
});
