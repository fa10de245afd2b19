import { expect, test } from "vitest";
import { askedForBy, mayCall, whyNotSend } from "./registration-gate.ts";

const nothing = () => false;

test("an accepted station may send everything, on every connection, without a new BootNotification", () => {
  expect(mayCall("accepted", "StatusNotification", nothing)).toBe(true);
});

test.each(["unknown", "pending"] as const)("while %s: BootNotification, and what we asked for", (registration) => {
  expect(mayCall(registration, "BootNotification", nothing)).toBe(true);
  expect(mayCall(registration, "Heartbeat", nothing)).toBe(false);
  expect(mayCall(registration, "MeterValues", (action) => action === "MeterValues")).toBe(true);
});

test("rejected: BootNotification alone", () => {
  expect(mayCall("rejected", "BootNotification", nothing)).toBe(true);
  expect(mayCall("rejected", "MeterValues", () => true)).toBe(false);
});

test("what TriggerMessage and the reports ask for", () => {
  expect(askedForBy("TriggerMessage", { requestedMessage: "StatusNotification" })).toBe("StatusNotification");
  expect(askedForBy("ExtendedTriggerMessage", { requestedMessage: "SignChargePointCertificate" })).toBe(
    "SignCertificate",
  );
  expect(askedForBy("TriggerMessage", { requestedMessage: "constructor" })).toBe("constructor");
  expect(askedForBy("GetBaseReport", {})).toBe("NotifyReport");
  expect(askedForBy("Reset", {})).toBeUndefined();
});

test("nothing is sent to a rejected station, and no session is started on one that is not accepted", () => {
  expect(whyNotSend("rejected", "TriggerMessage")).toContain("rejected");
  expect(whyNotSend("pending", "TriggerMessage")).toBeUndefined();
  expect(whyNotSend("pending", "RemoteStartTransaction")).toContain("not accepted");
  expect(whyNotSend("accepted", "RemoteStartTransaction")).toBeUndefined();
});
