import { actionsOf, isSend, isStationAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { DECISION_ACTIONS } from "@dynamo-csms/proto/decision-actions";
import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { describe, expect, test } from "vitest";
import { classOf, transactionEventNeedsDecision } from "./action-class.ts";

describe.each(OCPP_VERSIONS)("%s", (version) => {
  const station = actionsOf(version).filter((action) => isStationAction(version, action));

  test("[H6] every action of the station has a class, and ours have none", () => {
    for (const action of actionsOf(version)) {
      expect(classOf(version, action, isSend(version, action)) !== undefined).toBe(isStationAction(version, action));
    }
  });

  test.each(station)("the constant answer to %s, if it has one, is valid against its schema", (action) => {
    const known = classOf(version, action, isSend(version, action));
    if (known?.class === "edge")
      expect(validatePayload(version, action, "response", JSON.parse(known.payload))).toBeUndefined();
    else if (known?.class === "edge-with-time")
      expect(validatePayload(version, action, "response", { currentTime: new Date(0).toISOString() })).toBeUndefined();
    else expect(known?.class).toMatch(/^(decision|transaction-event|send)$/);
  });

  test("we ask the control plane about what it promises to decide, and nothing else", () => {
    const asked = station.filter((action) =>
      ["decision", "transaction-event"].includes(classOf(version, action, isSend(version, action))?.class ?? ""),
    );
    expect(asked.toSorted()).toEqual([...DECISION_ACTIONS[version]]);
  });

  test.each(["heartbeat", "HeartbeatRequest", "__proto__", "constructor", "toString", "", "Reset"])(
    "[F12] [C19] %j is no action of a station",
    (action) => {
      expect(classOf(version, action, false)).toBeUndefined();
    },
  );
});

test("[F4] a SEND is not a CALL and a CALL not a SEND", () => {
  expect(classOf("2.1", "NotifyPeriodicEventStream", false)).toBeUndefined();
  expect(classOf("2.1", "Heartbeat", true)).toBeUndefined();
});

test("TransactionEvent: only an Updated without a token needs no decision", () => {
  expect(transactionEventNeedsDecision({ eventType: "Updated" })).toBe(false);
  expect(transactionEventNeedsDecision({ eventType: "Updated", idToken: {} })).toBe(true);
  expect(transactionEventNeedsDecision({ eventType: "Started" })).toBe(true);
  expect(transactionEventNeedsDecision({ eventType: "Ended" })).toBe(true);
});
