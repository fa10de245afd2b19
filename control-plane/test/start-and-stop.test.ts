import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionOf } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";
import { accepted, daysAgo, EPOCH, start } from "./transaction-payloads.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

let scene: TransactionScene;
beforeAll(async () => {
  scene = await startTransactionScene();
  await scene.token("card-1", { maxActiveTransactions: null });
});
afterAll(() => scene.close());

describe("OCPP 1.6", () => {
  test("[1.6-historic] sessions of days ago come late and in any order, and are sessions like others", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const older = start({ timestamp: daysAgo(3) });
    const newer = start({ timestamp: daysAgo(2) });
    await scene.file(
      cp.call("StartTransaction", newer, { answer: accepted(900_002) }),
      cp.call("StartTransaction", older, { answer: accepted(900_001) }),
      cp.call("StopTransaction", { transactionId: 900_001, meterStop: 350, timestamp: daysAgo(3, 60) }, { answer: {} }),
      cp.call("StopTransaction", { transactionId: 900_002, meterStop: 600, timestamp: daysAgo(2, 60) }, { answer: {} }),
      cp.call("MeterValues", {
        connectorId: 1,
        transactionId: 900_001,
        meterValue: [{ timestamp: daysAgo(3, 30), sampledValue: [{ value: "200" }] }],
      }),
    );
    expect(
      await scene.transactionsOf(station, "transaction_id, state, meter_stop_wh, stopped_at > started_at as forwards"),
    ).toEqual([
      { transaction_id: "900002", state: "ended", meter_stop_wh: "600", forwards: true },
      { transaction_id: "900001", state: "ended", meter_stop_wh: "350", forwards: true },
    ]);
    expect(await scene.told(station)).toEqual(
      ["session.started", "session.started", "session.ended", "session.ended"].sort().reverse(),
    );
    expect(await scene.quarantined(station)).toEqual([]);
  });

  test("[C13] [1.6-start] [F6] a start sent again, with its id or another, to this node or another, is one row and one session", async () => {
    const station = await scene.newStation("1.6");
    const answer = await scene.decide(station, "1.6", "StartTransaction", start());
    await scene.token("card-1", { status: "Blocked", maxActiveTransactions: null });
    expect(await scene.decide(station, "1.6", "StartTransaction", start(), "node-b")).toEqual(answer);
    await scene.token("card-1", { maxActiveTransactions: null });
    for (const [epoch, messageId] of [
      [EPOCH, "1"],
      [EPOCH, "2"],
      [EPOCH + 1, "1"],
    ] as const)
      await scene.file(connectionOf(station, "1.6", epoch).call("StartTransaction", start(), { answer, messageId }));
    expect(await scene.transactionsOf(station, "transaction_id, id_token_status")).toEqual([
      { transaction_id: String(answer["transactionId"]), id_token_status: "Accepted" },
    ]);
    expect(await scene.told(station)).toEqual(["session.started"]);
    // Another start under the same message id is another start: a rebooted station counts from 1 again.
    const other = await scene.decide(station, "1.6", "StartTransaction", start({ timestamp: "2026-05-01T12:00:00Z" }));
    expect(other["transactionId"]).not.toBe(answer["transactionId"]);
  });

  test("[C14] [1.6-stop] [1.6-unknown] stops that came twice, differ, or are of nothing we know: the first counts, each is kept", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const answer = await scene.decide(station, "1.6", "StartTransaction", start());
    const stop = { transactionId: answer["transactionId"], meterStop: 500, timestamp: "2026-05-01T11:00:00Z" };
    // As gateways answer alone.
    await scene.file(
      cp.call("StartTransaction", start(), { answer }),
      cp.call("StopTransaction", stop, { answer: {} }),
      cp.call("StopTransaction", stop, { answer: {} }),
      cp.call("StopTransaction", { ...stop, meterStop: 900 }, { answer: {} }),
      ...[2_000_000_000, -1, 0].map((transactionId) =>
        cp.call("StopTransaction", { ...stop, transactionId }, { answer: {} }),
      ),
    );
    expect(await scene.transactionsOf(station, "state, meter_stop_wh")).toEqual([
      { state: "ended", meter_stop_wh: "500" },
    ]);
    expect(await scene.quarantined(station)).toEqual([
      "already stopped otherwise",
      "unknown transaction",
      "unknown transaction",
      "unknown transaction",
    ]);
    expect(await scene.told(station)).toEqual(["session.started", "session.ended"]);
  });

  // Broken once on purpose: with a stop that finds any station's transaction (stop-transaction.ts) it fails: "ended" for
  // "active"; with readings that do (record-meter-values.ts): filed under the other's.
  test("[I8] [C14] [D8] [1.6-owner] no station touches a transaction of another, of its own organisation or a foreign one", async () => {
    const [owner, foreign] = [await scene.newStation("1.6"), await scene.newStation("1.6", await scene.newProject())];
    const sister = await scene.newStation("1.6");
    const answer = await scene.decide(owner, "1.6", "StartTransaction", start());
    const { transactionId } = answer;
    await scene.file(connectionOf(owner, "1.6", EPOCH).call("StartTransaction", start(), { answer }));
    for (const other of [sister, foreign]) {
      const cp = connectionOf(other, "1.6", EPOCH);
      await scene.decide(other, "1.6", "StopTransaction", {
        transactionId,
        meterStop: 1,
        timestamp: "2026-05-01T11:00:00Z",
      });
      await scene.file(
        cp.call("StopTransaction", { transactionId, meterStop: 1, timestamp: "2026-05-01T11:00:00Z" }, { answer: {} }),
        cp.call("MeterValues", {
          connectorId: 1,
          transactionId,
          meterValue: [{ timestamp: "2026-05-01T10:30:00Z", sampledValue: [{ value: "AQID", format: "SignedData" }] }],
        }),
      );
      expect(await scene.told(other)).toEqual([]);
      expect(await scene.rows("select transaction_id from meter_values where station_id = $1", [other.id])).toEqual([
        { transaction_id: "0" },
      ]);
    }
    expect(await scene.transactionsOf(owner, "state, stopped_at")).toEqual([{ state: "active", stopped_at: null }]);
    expect(await scene.rows("select 1 from signed_meter_values where station_id = $1", [owner.id])).toEqual([]);
  });

  // Broken once on purpose: with the sequence left behind when a start is put back (start-transaction.ts, restoreStart) it
  // fails: "expected 5 to be greater than 1000003".
  test("[I8] [1.6-ids] ids are drawn once in the deployment, from 1 to 2^31-1, and never below one that a station was told", async () => {
    const project = await scene.newProject();
    const stations = [await scene.newStation("1.6"), await scene.newStation("1.6", project)];
    const ids = await Promise.all(
      [...stations, ...stations].map(
        async (station, place) =>
          (await scene.decide(station, "1.6", "StartTransaction", start({ meterStart: place })))["transactionId"],
      ),
    );
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toSatisfy((n: number) => Number.isInteger(n) && n >= 1 && n <= 2_147_483_647);
    // Postgres has lost its last commits: the lane tells of an id that it does not know.
    const [station] = stations as [TestStation];
    const told = Number(ids.at(-1)) + 1_000_000;
    await scene.file(
      connectionOf(station, "1.6", EPOCH).call("StartTransaction", start({ meterStart: 7 }), {
        answer: accepted(told),
      }),
    );
    const next = await scene.decide(station, "1.6", "StartTransaction", start({ meterStart: 8 }));
    expect(next["transactionId"]).toBeGreaterThan(told);
  });
});
