import { afterAll, beforeAll, expect, test } from "vitest";
import { connectionOf } from "./lane-double.ts";
import { EPOCH, type Item, startStationReportScene, type StationReportScene } from "./station-report-scene.ts";

let scene: StationReportScene;
beforeAll(async () => void (scene = await startStationReportScene(1)));
afterAll(() => scene.close());

test("[C15] an event is the same when all of it is: eventId starts again with a reboot", async () => {
  const station = await scene.newStation("2.1");
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
  await scene.sends(station, "2.1", [
    ["NotifyEvent", event("2026-05-01T10:00:00Z", "80")],
    ["NotifyEvent", event("2026-05-01T10:00:00Z", "80")],
    ["NotifyEvent", event("2026-05-01T11:00:00Z", "82")],
    ["NotifyEvent", event("2026-05-01T12:00:00Z", "topsecret", "WifiPassword")],
  ]);
  expect(
    await scene.world.rows(
      "select data->'eventId' as id, data->>'actualValue' as value from station_events where station_id = $1 order by occurred_at",
      [station.id],
    ),
  ).toEqual([
    { id: 1, value: "80" },
    { id: 1, value: "82" },
    { id: 1, value: null },
  ]);
  expect(
    await scene.world.rows("select variable, value from station_variables where station_id = $1 order by key", [
      station.id,
    ]),
  ).toEqual([
    { variable: "Temperature", value: "82" },
    { variable: "WifiPassword", value: null },
  ]);
});

test("monitors: set, reported, cleared, and taken away by a monitoring base", async () => {
  const station = await scene.newStation("2.0.1");
  const about = { component: { name: "Connector" }, variable: { name: "Temperature" } };
  const asked = { ...about, value: 80, type: "UpperThreshold", severity: 4 };
  const result = { ...about, type: "UpperThreshold", severity: 4 };
  await scene.answered(
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
  await scene.sends(
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
  expect(await scene.itemsOf(station, "monitor")).toMatchObject([
    { key: "12", present: true, value: 80, type: "UpperThreshold", set_by: "CustomMonitor" },
    { key: "3", present: true, value: 1, set_by: null },
  ]);
  await scene.answered(
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
  expect((await scene.itemsOf(station, "monitor")).map(({ key, present }) => [key, present])).toEqual([
    ["12", true],
    ["3", true],
  ]);
  await scene.answered(station, "2.0.1", "SetMonitoringLevel", { severity: 3 }, { status: "Accepted" }, { seq: 6 });
  await scene.answered(
    station,
    "2.0.1",
    "SetMonitoringBase",
    { monitoringBase: "FactoryDefault" },
    { status: "Accepted" },
    { seq: 7 },
  );
  expect(await scene.itemsOf(station, "monitoring")).toEqual([
    { key: "", present: true, level: 3, base: "FactoryDefault" },
  ]);
  expect((await scene.itemsOf(station, "monitor")).map(({ key, present }) => [key, present])).toEqual([
    ["12", false],
    ["3", true],
  ]);
});

test("[C18] what a monitoring report says once of a thousand monitors is not kept a thousand times", async () => {
  const station = await scene.newStation("2.1");
  const padding = { vendorId: "V", padding: "x".repeat(200_000) };
  const monitor = (id: number) => ({
    id,
    transaction: false,
    value: 1,
    type: "Delta",
    severity: 5,
    eventNotificationType: "CustomMonitor",
  });
  await scene.sends(station, "2.1", [
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
  const [stored] = await scene.world.rows(
    "select count(*)::int as n, max(length(data::text)) < 1000 as small from station_items where station_id = $1",
    [station.id],
  );
  expect(stored).toEqual({ n: 1_000, small: true });
  expect(await scene.itemsOf(station, "monitor")).toContainEqual(
    expect.objectContaining({
      component: { name: "Connector", evse: { id: 1, connectorId: 2 } },
      variable: { name: "Temperature" },
    }),
  );
});

test("[F4] 2.1: what a SEND tells is in force: event streams with their newest values", async () => {
  const station = await scene.newStation("2.1");
  const values = (count: number, from: number) => ({
    id: 1,
    pending: 0,
    basetime: "2026-05-01T10:00:00Z",
    data: Array.from({ length: count }, (_, n) => ({ t: n * 0.5, v: String(from + n) })),
  });
  const cp = await scene.sends(station, "2.1", [
    ["OpenPeriodicEventStream", { constantStreamData: { id: 1, variableMonitoringId: 12, params: { interval: 60 } } }],
    ...Array.from({ length: 50 }, (_, n) => ["NotifyPeriodicEventStream", values(150, n * 1_000)] as const),
  ]);
  const [stream] = await scene.itemsOf(station, "event_stream");
  expect(stream).toMatchObject({ key: "1", present: true, monitor_id: 12, interval_seconds: 60 });
  expect(stream?.["values"]).toHaveLength(100);
  expect((stream as { values: object[] } & Item).values.at(-1)).toEqual({
    at: "2026-05-01T10:01:14.500Z",
    value: "49149",
  });
  await scene.answered(
    station,
    "2.1",
    "AdjustPeriodicEventStream",
    { id: 1, params: { interval: 5 } },
    { status: "Accepted" },
    { seq: 100 },
  );
  expect(await scene.itemsOf(station, "event_stream")).toMatchObject([
    { present: true, interval_seconds: 5, monitor_id: 12 },
  ]);
  await scene.answered(station, "2.1", "GetPeriodicEventStream", {}, {}, { seq: 101 });
  expect(await scene.itemsOf(station, "event_stream")).toMatchObject([{ present: false }]);
  const late = connectionOf(station, "2.1", EPOCH + 1);
  await scene.sends(station, "2.1", [["ClosePeriodicEventStream", { id: 1 }]], late);
  expect(await scene.itemsOf(station, "event_stream")).toMatchObject([{ present: false, monitor_id: 12 }]);
  expect(cp).toBeDefined();
});
