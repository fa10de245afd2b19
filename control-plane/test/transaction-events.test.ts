import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionOf } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";
import { daysAgo, EPOCH, event } from "./transaction-payloads.ts";
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

  // Broken once on purpose: with the state taken from the event that came last (record-events.ts) it fails for "0, 2, 1"
  // and "the end first": an ended transaction is active.
  test.each([
    ["0, 2, 1", [event("Started", 0), event("Ended", 2), event("Updated", 1)], true],
    ["the end first", [event("Ended", 2), event("Updated", 1), event("Started", 0)], true],
    ["one of them twice", [event("Started", 0), event("Started", 0), event("Ended", 1), event("Ended", 1)], true],
    ["a counter that goes on from the last transaction", [event("Started", 7), event("Ended", 8)], true],
    ["a gap", [event("Started", 0), event("Ended", 2)], false],
    ["no beginning", [event("Updated", 1), event("Ended", 2)], false],
    ["no end", [event("Started", 0), event("Updated", 1)], false],
  ])(
    "[I3] [C15] [1.6-seqno] %s: complete only from Started to Ended without a hole, and each session is told once",
    async (_order, events, complete) => {
      const station = await scene.newStation("2.0.1");
      await file(station, ...events);
      const has = (type: string) => events.some(({ eventType }) => eventType === type);
      expect(await scene.transactionsOf(station, "complete, state")).toEqual([
        { complete, state: has("Ended") ? "ended" : "active" },
      ]);
      expect((await scene.told(station)).sort()).toEqual([
        ...(has("Ended") ? ["session.ended"] : []),
        ...(has("Started") ? ["session.started"] : []),
      ]);
      expect(await scene.quarantined(station)).toEqual([]);
    },
  );

  test("[C15] [1.6-historic] a transaction of three days ago, told offline, keeps its own times; another's seqNo is set aside", async () => {
    const station = await scene.newStation("2.0.1");
    const at = daysAgo(3);
    await file(
      station,
      event("Started", 0, { timestamp: at, offline: true }),
      event("Ended", 1, { timestamp: daysAgo(3, 60), offline: true }),
      event("Ended", 1, { timestamp: daysAgo(1) }),
    );
    expect(await scene.transactionsOf(station, "started_at, offline, complete, state")).toEqual([
      { started_at: new Date(at), offline: true, complete: true, state: "ended" },
    ]);
    expect(await scene.quarantined(station)).toEqual(["another event has this seqNo"]);
  });

  test("[C18] a token that is far too long costs neither the answer nor the transaction", async () => {
    const station = await scene.newStation("2.0.1");
    const idToken = { idToken: randomBytes(8_000).toString("hex"), type: "Central" };
    const answer = await scene.decide(station, "2.0.1", "TransactionEvent", event("Started", 0, { idToken }));
    expect(answer).toEqual({ idTokenInfo: { status: "Unknown" } });
    await file(station, event("Ended", 1, { idToken }));
    expect(
      await scene.transactionsOf(station, "state, length(id_token) as long, length(stop_id_token) as stop"),
    ).toEqual([{ state: "ended", long: 255, stop: 255 }]);
  });

  test("[D8] two stations with one transaction id have two transactions", async () => {
    const [mine, theirs] = [await scene.newStation("2.0.1"), await scene.newStation("2.0.1", await scene.newProject())];
    await file(mine, event("Started", 0));
    await file(theirs, event("Ended", 1));
    expect(await scene.transactionsOf(mine, "state, ended_seq_no")).toEqual([{ state: "active", ended_seq_no: null }]);
    expect(await scene.transactionsOf(theirs, "state, started_at")).toEqual([{ state: "ended", started_at: null }]);
  });
});
