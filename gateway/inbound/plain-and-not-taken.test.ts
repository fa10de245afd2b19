// CALLs that a scanner finds valid and plain, and that the short way must not take all the same.

import { payloadScanner, transactionUpdateScanner } from "@dynamo-csms/ocpp-schemas/payload-scanners";
import { expect, test } from "vitest";
import { settled, startReceiver } from "../test/receiver-scene.ts";

const SCANNERS = { scannerOf: payloadScanner, updateScannerOf: transactionUpdateScanner };
/** The first CALL of a connection begins its conversation, and is never plain. */
const BEAT = '[2,"beat","Heartbeat",{}]';

test.each(["2.0.1", "2.1"] as const)(
  "[1.2-not-echoed] [I12] %s: what may tell a setting is masked, valid and plain as it is",
  async (version) => {
    const scene = startReceiver({ scanners: SCANNERS });
    const { receive, sent } = scene.connect(version);
    receive(BEAT);
    await settled();
    const timestamp = "2026-01-31T12:00:00Z";
    const named = { component: { name: "SecurityCtrlr" }, variable: { name: "BasicAuthPassword" } };
    const event = { eventId: 1, timestamp, trigger: "Alerting", eventNotificationType: "HardWiredNotification" };
    const calls = {
      NotifyReport: {
        requestId: 1,
        generatedAt: timestamp,
        seqNo: 0,
        reportData: [{ ...named, variableAttribute: [{ value: "hunter2" }] }],
      },
      NotifyEvent: { generatedAt: timestamp, seqNo: 0, eventData: [{ ...event, ...named, actualValue: "hunter2" }] },
    };
    for (const [action, payload] of Object.entries(calls)) {
      const text = JSON.stringify(payload);
      // It would be taken, but for what it may tell.
      expect(payloadScanner(version, action)?.(Buffer.from(`${text}]\0`), 0)).toBe(text.length);
      receive(`[2,"${action}","${action}",${text}]`);
    }
    await settled();
    expect(sent.slice(1)).toEqual(['[3,"NotifyReport",{}]', '[3,"NotifyEvent",{}]']);
    expect(scene.stored.map(({ text }) => text).join()).not.toContain("hunter2");
    expect(scene.stored.filter(({ text }) => text.includes("BasicAuthPassword"))).toHaveLength(2);
  },
);

test.each(["2.0.1", "2.1"] as const)(
  "%s: transactions that start or end, and tokens, are asked about, valid and plain as they are",
  async (version) => {
    const asked: string[] = [];
    const decide = (action: string) => {
      asked.push(action);
      return Promise.resolve({ kind: "result" as const, payload: '{"idTokenInfo":{"status":"Accepted"}}' });
    };
    const { connect } = startReceiver({ scanners: SCANNERS, decide });
    const { receive, sent } = connect(version);
    receive(BEAT);
    await settled();
    const event = {
      timestamp: "2026-01-31T12:00:00Z",
      triggerReason: "Authorized",
      seqNo: 0,
      transactionInfo: { transactionId: "t" },
    };
    const idToken = { idToken: "A", type: "Central" };
    const events = [
      { ...event, eventType: "Started" },
      { ...event, eventType: "Updated" },
      { ...event, eventType: "Ended" },
      { ...event, eventType: "Updated", idToken },
      { idToken, ...event, eventType: "Updated" },
    ];
    for (const [at, payload] of events.entries()) {
      const text = JSON.stringify(payload);
      expect(payloadScanner(version, "TransactionEvent")?.(Buffer.from(`${text}]\0`), 0)).toBe(text.length);
      receive(`[2,"${at}","TransactionEvent",${text}]`);
      await settled();
    }
    expect(asked).toHaveLength(4);
    const decided = '{"idTokenInfo":{"status":"Accepted"}}';
    expect(sent.slice(1)).toEqual(
      [decided, "{}", decided, decided, decided].map((reply, at) => `[3,"${at}",${reply}]`),
    );
  },
);

test("[I9] a large CALL costs what it costs, valid and plain as it is", async () => {
  const { connect } = startReceiver({ scanners: SCANNERS });
  const { receive, sent } = connect("1.6");
  receive(BEAT);
  await settled();
  // Two tokens each, of a thousand less one.
  for (let n = 0; n < 600; n++) {
    receive(`[2,"${n}","Heartbeat",{${" ".repeat(17_000)}}]`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settled();
  expect(sent).toHaveLength(1 + 500);
});
