import { expect, test } from "vitest";
import { askedForBy, mayCall, whyNotSend } from "./registration-gate.ts";

const nothing = () => false;

test("[1.4-identity] an accepted station may send everything, on every connection, without a new BootNotification", () => {
  expect(mayCall("accepted", "StatusNotification", nothing)).toBe(true);
});

test.each(["unknown", "pending"] as const)(
  "[1.4-early-calls] while %s: BootNotification, and what we asked for",
  (registration) => {
    expect(mayCall(registration, "BootNotification", nothing)).toBe(true);
    expect(mayCall(registration, "Heartbeat", nothing)).toBe(false);
    expect(mayCall(registration, "MeterValues", (action) => action === "MeterValues")).toBe(true);
  },
);

test("[1.4-early-calls] rejected: BootNotification alone", () => {
  expect(mayCall("rejected", "BootNotification", nothing)).toBe(true);
  expect(mayCall("rejected", "MeterValues", () => true)).toBe(false);
});

test("[1.4-early-calls] what TriggerMessage and the reports ask for", () => {
  const trigger = (action: string, requestedMessage: string) =>
    askedForBy(action, JSON.stringify({ requestedMessage }));
  expect(trigger("TriggerMessage", "StatusNotification")).toBe("StatusNotification");
  expect(trigger("ExtendedTriggerMessage", "SignChargePointCertificate")).toBe("SignCertificate");
  expect(trigger("TriggerMessage", "constructor")).toBe("constructor");
  expect(askedForBy("GetBaseReport", "{}")).toBe("NotifyReport");
  // Of the others the payload is not even read: a local list may be as large as a frame.
  expect(askedForBy("SendLocalList", "no JSON")).toBeUndefined();
});

test("[1.4-rejected] [1.4-pending] nothing is sent to a rejected station, and no session is started on one that is not accepted", () => {
  expect(whyNotSend("rejected", "TriggerMessage")).toContain("rejected");
  expect(whyNotSend("pending", "TriggerMessage")).toBeUndefined();
  expect(whyNotSend("pending", "RemoteStartTransaction")).toContain("not accepted");
  expect(whyNotSend("accepted", "RemoteStartTransaction")).toBeUndefined();
});
