import { afterAll, beforeAll, expect, test } from "vitest";
import { connectionOf } from "./lane-double.ts";
import { EPOCH, startStationReportScene, type StationReportScene } from "./station-report-scene.ts";

let scene: StationReportScene;
beforeAll(async () => void (scene = await startStationReportScene(2)));
afterAll(() => scene.close());

test("display messages: set, told, cleared; what was refused is not there", async () => {
  const station = await scene.newStation("2.0.1");
  const message = (id: number, content: string) => ({
    id,
    priority: "NormalCycle",
    message: { format: "UTF8", content },
  });
  await scene.answered(
    station,
    "2.0.1",
    "SetDisplayMessage",
    { message: message(1, "Hello") },
    { status: "Accepted" },
    { seq: 2 },
  );
  await scene.answered(
    station,
    "2.0.1",
    "SetDisplayMessage",
    { message: message(2, "No") },
    { status: "NotSupportedPriority" },
    { seq: 3, state: "rejected" },
  );
  await scene.answered(station, "2.0.1", "ClearDisplayMessage", { id: 1 }, { status: "Accepted" }, { seq: 4 });
  const cp = connectionOf(station, "2.0.1", EPOCH + 1);
  await scene.sends(
    station,
    "2.0.1",
    [["NotifyDisplayMessages", { requestId: 1, messageInfo: [message(3, "Told\u0000")] }]],
    cp,
  );
  expect(await scene.itemsOf(station, "display_message")).toMatchObject([
    { key: "1", present: false },
    { key: "3", present: true, message: { message: { content: "Told\uFFFD" } } },
  ]);
});

test("2.1: DER controls as set, superseded, started, reported and cleared", async () => {
  const station = await scene.newStation("2.1");
  const limit = (priority: number) => ({ priority, pctMaxDischargePower: 70 });
  const set = (controlId: string, isDefault: boolean) => ({
    isDefault,
    controlId,
    controlType: "LimitMaxDischarge",
    limitMaxDischarge: limit(1),
  });
  await scene.answered(station, "2.1", "SetDERControl", set("a", true), { status: "Accepted" }, { seq: 2 });
  await scene.answered(
    station,
    "2.1",
    "SetDERControl",
    set("b", false),
    { status: "Accepted", supersededIds: ["a"] },
    { seq: 3 },
  );
  await scene.answered(
    station,
    "2.1",
    "SetDERControl",
    set("c", false),
    { status: "NotSupported" },
    { seq: 4, state: "rejected" },
  );
  const cp = connectionOf(station, "2.1", EPOCH + 1);
  await scene.sends(
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
  expect(await scene.itemsOf(station, "der_control")).toMatchObject([
    { key: "a", present: true, is_default: true, is_superseded: true, settings: limit(1) },
    { key: "b", present: true, is_default: false, is_superseded: false, started: true },
    { key: "d", present: true, control_type: "FreqDroop", settings: { overFreq: 51 } },
  ]);
  expect(
    await scene.world.rows("select kind from station_notices where station_id = $1 order by kind", [station.id]),
  ).toEqual([{ kind: "der_alarm" }, { kind: "der_start_stop" }]);
  const late = { seq: 9 };
  await scene.answered(station, "2.1", "ClearDERControl", { isDefault: true }, { status: "Accepted" }, late);
  expect((await scene.itemsOf(station, "der_control")).map(({ key, present }) => [key, present])).toEqual([
    ["a", false],
    ["b", true],
    ["d", true],
  ]);
});

test("2.1: tariffs as set, replaced, listed and cleared", async () => {
  const station = await scene.newStation("2.1");
  const tariff = (tariffId: string) => ({ tariffId, currency: "EUR", energy: { prices: [{ priceKwh: 0.3 }] } });
  const inForce = async () =>
    (await scene.itemsOf(station, "tariff")).filter(({ present }) => present).map(({ key }) => key);
  await scene.answered(
    station,
    "2.1",
    "SetDefaultTariff",
    { evseId: 1, tariff: tariff("day") },
    { status: "Accepted" },
    { seq: 2 },
  );
  await scene.answered(
    station,
    "2.1",
    "SetDefaultTariff",
    { evseId: 2, tariff: tariff("two") },
    { status: "Accepted" },
    { seq: 3 },
  );
  await scene.answered(
    station,
    "2.1",
    "SetDefaultTariff",
    { evseId: 1, tariff: tariff("night") },
    { status: "Accepted" },
    { seq: 4 },
  );
  expect(await inForce()).toEqual(["night", "two"]);
  await scene.answered(
    station,
    "2.1",
    "ChangeTransactionTariff",
    { transactionId: "tx1", tariff: tariff("special") },
    { status: "Accepted" },
    { seq: 5 },
  );
  await scene.answered(
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
  expect(JSON.stringify(await scene.itemsOf(station, "tariff"))).not.toContain("04A2");
  await scene.answered(
    station,
    "2.1",
    "ClearTariffs",
    { tariffIds: ["night"] },
    { clearTariffsResult: [{ status: "Accepted", tariffId: "night" }] },
    { seq: 7 },
  );
  expect(await inForce()).toEqual(["driver", "transaction/tx1"]);
});

test("2.1: a battery swap is filed once, without whose it was; priority charging as often as it is told", async () => {
  const station = await scene.newStation("2.1");
  const swap = {
    requestId: 5,
    eventType: "BatteryIn",
    idToken: { idToken: "04A2B3", type: "ISO14443" },
    batteryData: [{ evseId: 1, serialNumber: "B-17", soC: 20, soH: 99 }],
  };
  const priority = { transactionId: "tx1", activated: true };
  await scene.sends(station, "2.1", [
    ["BatterySwap", swap],
    ["BatterySwap", swap],
    ["NotifyPriorityCharging", priority],
    ["NotifyPriorityCharging", priority],
  ]);
  const notices = await scene.world.rows("select kind, data from station_notices where station_id = $1 order by id", [
    station.id,
  ]);
  expect(notices.filter(({ kind }) => kind === "battery_swap")).toHaveLength(1);
  expect(notices.filter(({ kind }) => kind === "priority_charging")).toHaveLength(2);
  expect(JSON.stringify(notices)).not.toContain("04A2B3");
});
