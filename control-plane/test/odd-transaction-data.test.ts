import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAX_INTRODUCED } from "../transactions/meter-shapes.ts";
import { connectionOf } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";
import { EPOCH, start } from "./transaction-payloads.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

let scene: TransactionScene;
beforeAll(async () => {
  scene = await startTransactionScene();
  await scene.token("card-1", { maxActiveTransactions: null });
});
afterAll(() => scene.close());

describe("OCPP 1.6", () => {
  test("[C18] thousands of readings of an unknown transaction are filed, and their message is set aside once", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const count = 6_000;
    const meterValue = Array.from({ length: count }, (_, place) => ({
      timestamp: new Date(Date.UTC(2026, 4, 1) + place * 60_000).toISOString(),
      sampledValue: [{ value: String(place), context: "Sample.Periodic", unit: `unit-${place % MAX_INTRODUCED}` }],
    }));
    await scene.file(cp.call("MeterValues", { connectorId: 1, transactionId: 2_000_000_001, meterValue }));
    expect(await scene.quarantined(station)).toEqual(["unknown transaction"]);
    const [filed] = await scene.rows(
      `select count(*)::int as readings, count(distinct shape)::int as shapes,
         count(*) filter (where h.members like '%"unit-' || (m.vals[1] % ${MAX_INTRODUCED}) || '"%')::int as good
       from meter_values m join meter_shapes h on h.id = m.shape where station_id = $1`,
      [station.id],
    );
    expect(filed).toEqual({ readings: count, shapes: MAX_INTRODUCED, good: count });
  });

  test("[C18] a station that makes up kinds of readings fills no table: beyond its share their messages are set aside", async () => {
    const [station, other] = [await scene.newStation("1.6"), await scene.newStation("1.6")];
    const reading = (unit: string, minute = 0) => ({
      timestamp: new Date(Date.UTC(2026, 4, 1) + minute * 60_000).toISOString(),
      sampledValue: [{ value: "7", unit }],
    });
    const values = (of: TestStation, ...meterValue: object[]) =>
      connectionOf(of, "1.6", EPOCH + meterValue.length).call("MeterValues", { connectorId: 1, meterValue });
    const made = Array.from({ length: MAX_INTRODUCED + 20 }, (_, place) => reading(`made-up-${place}`, place));
    await scene.file(values(station, ...made));
    await scene.file(values(station, reading("one more"), reading("made-up-0", 9_000)));
    const shapes = "select count(*)::int as n from meter_shapes where introduced_by = $1";
    const filed = "select count(*)::int as n from meter_values where station_id = $1";
    expect(await scene.rows(shapes, [station.id])).toEqual([{ n: MAX_INTRODUCED }]);
    // What it introduced before is filed, also beside what is not.
    expect(await scene.rows(filed, [station.id])).toEqual([{ n: MAX_INTRODUCED + 1 }]);
    expect(await scene.quarantined(station)).toEqual(["too many kinds of readings", "too many kinds of readings"]);
    expect(
      await scene.rows("select 1 from quarantine where station_id = $1 and raw like $2", [
        station.id,
        `%made-up-${MAX_INTRODUCED + 19}"%`,
      ]),
    ).toHaveLength(1);
    // That is no other station's matter, and what one may not introduce another may.
    await scene.file(values(other, reading("one more")), values(station, reading("one more", 1)));
    expect(await scene.rows(filed, [other.id])).toEqual([{ n: 1 }]);
    expect(await scene.rows(filed, [station.id])).toEqual([{ n: MAX_INTRODUCED + 2 }]);
  });

  test.each([
    ["2026-05-01T10:00:00", "2026-05-01T10:00:00.000Z", []],
    ["2026-05-01T10:00:00+05:30", "2026-05-01T04:30:00.000Z", []],
    ["2026-05-01T10:00:00.123456789Z", "2026-05-01T10:00:00.123Z", []],
    ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", []],
    ["2099-01-01T00:00:00Z", "2099-01-01T00:00:00.000Z", []],
    ["2028-02-29T12:00:00Z", "2028-02-29T12:00:00.000Z", []],
    ["2026-02-29T12:00:00Z", undefined, ["start_time_unreadable"]],
    ["yesterday", undefined, ["start_time_unreadable"]],
  ])(
    "[C22] [1.6-clock] a start at %s begins at %s, beside when it was received",
    async (timestamp, startedAt, flags) => {
      const station = await scene.newStation("1.6");
      await scene.decide(station, "1.6", "StartTransaction", start({ timestamp }));
      const [row] = await scene.transactionsOf(station, "started_at, start_received_at, start_timestamp_raw, flags");
      expect(row).toMatchObject({ start_timestamp_raw: timestamp, flags });
      expect(row?.["started_at"]).toEqual(startedAt === undefined ? row?.["start_received_at"] : new Date(startedAt));
    },
  );

  test.each([
    ["9007199254740993", "9007199254740993", []],
    ["-5", "-5", []],
    ["1.5e3", "1500", []],
    ["1e400", null, ["meter_start_unreadable"]],
    ['"12,5"', null, ["meter_start_unreadable"]],
  ])("[C23] a meter at %s is kept as that text, and as the number %s", async (meterStart, wh, flags) => {
    const station = await scene.newStation("1.6");
    const payload = `{"connectorId":1,"idTag":"card-1","meterStart":${meterStart},"timestamp":"2026-05-01T10:00:00Z"}`;
    await scene.decide(station, "1.6", "StartTransaction", payload);
    expect(await scene.transactionsOf(station, "meter_start_raw, meter_start_wh, flags")).toEqual([
      { meter_start_raw: meterStart.replaceAll('"', ""), meter_start_wh: wh, flags },
    ]);
  });

  test("[1.6-flagged] data against its schema is stored raw and set aside, and what can be read of it counts", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const answer = await scene.decide(station, "1.6", "StartTransaction", start());
    await scene.file(
      cp.call("StartTransaction", start(), { answer }),
      cp.call(
        "MeterValues",
        {
          connectorId: 1,
          transactionId: answer["transactionId"],
          meterValue: [{ timestamp: "noon", sampledValue: [{ value: 5, extra: true }] }],
        },
        { flagged: true },
      ),
      cp.call(
        "StopTransaction",
        { transactionId: answer["transactionId"], meterStop: 500.5, timestamp: "later", reason: "Bored" },
        { answer: {}, flagged: true },
      ),
    );
    expect(await scene.transactionsOf(station, "state, meter_stop_wh, stop_reason, flags")).toEqual([
      { state: "ended", meter_stop_wh: "500.5", stop_reason: "Bored", flags: ["stop_time_unreadable"] },
    ]);
    expect(await scene.rows("select vals::text, raw from meter_values where station_id = $1", [station.id])).toEqual([
      { vals: "{5}", raw: null },
    ]);
    expect(await scene.quarantined(station)).toEqual(["breaks its schema", "breaks its schema"]);
  });
});
