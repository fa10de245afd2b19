import { expect, test } from "vitest";
import { Ledger } from "./ledger.ts";

test("what the message log keeps is numbered without a gap, heartbeats apart", () => {
  const ledger = new Ledger();
  expect(["BootNotification", "Heartbeat", "MeterValues", "Heartbeat"].map((action) => ledger.nextId(action))).toEqual([
    "m1",
    "h1",
    "m2",
    "h2",
  ]);
  ledger.noteUnanswered("h2");
  ledger.noteUnanswered("m2");
  expect(ledger.told("cp_1")).toMatchObject({ station: "cp_1", numbered: 2, unanswered: ["m2"] });
});

test("answers are counted by action, and what they say of transactions, readings, statuses and heartbeats is kept", () => {
  const ledger = new Ledger();
  ledger.noteAnswer("StartTransaction", {}, 1);
  ledger.noteAnswer("TransactionEvent", { eventType: "Started" }, 2);
  ledger.noteAnswer("TransactionEvent", { eventType: "Updated" }, 3);
  ledger.noteAnswer("TransactionEvent", { eventType: "Ended" }, 4);
  ledger.noteAnswer("Heartbeat", {}, 5);
  ledger.noteAnswer("MeterValues", { meterValue: [{}, {}] }, 6);
  ledger.noteAnswer("StopTransaction", { transactionData: [{}] }, 7);
  ledger.noteAnswer("StatusNotification", { status: "Charging", timestamp: "2026-01-01T00:00:00.000Z" }, 8);
  ledger.noteAnswer("StatusNotification", { connectorStatus: "Occupied", timestamp: "2026-01-01T00:00:01.000Z" }, 9);
  expect(ledger.told("cp_1")).toMatchObject({
    answered: { StartTransaction: 1, TransactionEvent: 3, Heartbeat: 1, MeterValues: 1 },
    started: 2,
    ended: 2,
    heartbeatAtMs: 5,
    readings: 3,
    status: { name: "Occupied", at: "2026-01-01T00:00:01.000Z" },
    away: false,
  });
});
