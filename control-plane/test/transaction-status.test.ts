import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askTransactionStatus } from "../transactions/ask-transaction-status.ts";
import { OUTCOME_EFFECTS } from "../commands/outcome-effects.ts";
import { connectionOf } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";
import { EPOCH, event } from "./transaction-payloads.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

let scene: TransactionScene;
beforeAll(async () => {
  scene = await startTransactionScene();
  await scene.token("card-1", { maxActiveTransactions: null });
});
afterAll(() => scene.close());

describe("OCPP 2.x", () => {
  const file = async (station: TestStation, ...events: object[]) => {
    const cs = connectionOf(station, "2.0.1", EPOCH);
    for (const one of events) await scene.file(cs.call("TransactionEvent", one, { answer: {} }));
  };

  const times = { graceMs: 60_000, silenceMs: 600_000 };
  const asked = (station: TestStation) =>
    scene.rows("select action, payload, deliver, requested_by from commands where station_id = $1", [station.id]);
  const letPass = (station: TestStation, interval: string) =>
    scene.rows(
      `update transactions set last_event_at = last_event_at - $2::interval, status_asked_at = status_asked_at - $2::interval where station_id = $1`,
      [station.id, interval],
    );
  const acceptedStation = async () => {
    const station = await scene.newStation("2.0.1");
    await scene.rows("update stations set registration = 'accepted' where id = $1", [station.id]);
    return station;
  };
  /** The station answers the question that waits; undefined: it never does. */
  const answerWith = async (station: TestStation, state: "accepted" | "error" | "timeout", response?: object) => {
    await scene.rows("update commands set final_at = now(), state = $2 where station_id = $1", [station.id, state]);
    for (const effect of OUTCOME_EFFECTS.get("GetTransactionStatus") ?? [])
      await effect(scene.sql, {
        commandId: "cmd_1",
        stationId: station.id,
        orgId: scene.project.orgId,
        version: "2.0.1",
        action: "GetTransactionStatus",
        payload: { transactionId: "tx-1" },
        requestedBy: "system:transaction-status",
        deliver: "when_connected",
        tookSeconds: 1,
        state,
        response,
        at: new Date(),
      });
  };

  test("[C15] [1.6-gaps] a gap is asked about after the grace time, once while that waits, and not again once nothing more will come", async () => {
    const station = await acceptedStation();
    await file(station, event("Started", 0), event("Ended", 2));
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toEqual([]);
    await letPass(station, "61 s");
    await askTransactionStatus(scene.pool, times, 100);
    await askTransactionStatus(scene.pool, times, 100);
    const question = {
      action: "GetTransactionStatus",
      payload: { transactionId: "tx-1" },
      deliver: "when_connected",
      requested_by: "system:transaction-status",
    };
    expect(await asked(station)).toEqual([question]);
    // More is queued in the station: the question stays open.
    await answerWith(station, "accepted", { messagesInQueue: true });
    await letPass(station, "10 minutes");
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(2);
    await answerWith(station, "accepted", { messagesInQueue: false });
    await letPass(station, "1 day");
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(2);
    // The hole is filled after all.
    await file(station, event("Updated", 1));
    expect(await scene.transactionsOf(station, "complete")).toEqual([{ complete: true }]);
    await letPass(station, "1 day");
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(2);
  });

  test("[1.6-gaps] a station that never answers is asked three times; one that does not know the message, once", async () => {
    const [silent, simple] = [await acceptedStation(), await acceptedStation()];
    for (const station of [silent, simple]) await file(station, event("Started", 0), event("Ended", 2));
    for (let round = 0; round < 6; round += 1) {
      for (const station of [silent, simple]) await letPass(station, "1 day");
      await askTransactionStatus(scene.pool, times, 100);
      await answerWith(silent, "timeout");
      await answerWith(simple, "error");
    }
    expect(await asked(silent)).toHaveLength(3);
    expect(await asked(simple)).toHaveLength(1);
  });

  test("[1.6-gaps] a silent transaction that its station does not run any more is given up; its end, should it come, counts", async () => {
    const station = await acceptedStation();
    const rejected = await scene.newStation("2.0.1");
    for (const one of [station, rejected]) {
      await file(one, event("Started", 0));
      await letPass(one, "11 minutes");
    }
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(1);
    // Nothing is asked of a station that is not accepted.
    expect(await asked(rejected)).toEqual([]);
    await answerWith(station, "accepted", { ongoingIndicator: true, messagesInQueue: false });
    expect(await scene.transactionsOf(station, "given_up_reason")).toEqual([{ given_up_reason: null }]);
    await answerWith(station, "accepted", { ongoingIndicator: false, messagesInQueue: false });
    expect(await scene.transactionsOf(station, "state, given_up_reason")).toEqual([
      { state: "active", given_up_reason: "forgotten_by_station" },
    ]);
    await file(station, event("Ended", 1));
    expect(await scene.transactionsOf(station, "state, complete, given_up_reason")).toEqual([
      { state: "ended", complete: true, given_up_reason: null },
    ]);
  });
});
