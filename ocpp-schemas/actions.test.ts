import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { expect, expectTypeOf, test } from "vitest";
import {
  actionsOf,
  directionOf,
  isAction,
  isCsmsAction,
  isSend,
  isStationAction,
  type CsmsAction,
  type StationAction,
} from "./actions.ts";
import type { RequestPayload, ResponsePayload } from "./payloads.ts";
import { validatePayload } from "./validators.ts";

test.each([
  ["1.6", 39, 14, 26],
  ["2.0.1", 64, 25, 40],
  ["2.1", 91, 37, 55],
] as const)(
  "OCPP %s has %i actions: %i from the station, %i from us, DataTransfer in both",
  (version, all, station, csms) => {
    const names = actionsOf(version);
    expect(new Set(names).size).toBe(all);
    expect(names.filter((name) => isStationAction(version, name))).toHaveLength(station);
    expect(names.filter((name) => isCsmsAction(version, name))).toHaveLength(csms);
    expect(names.filter((name) => directionOf(version, name) === "both")).toEqual(["DataTransfer"]);
  },
);

test("the security extension of 1.6 is known, each with its sender", () => {
  for (const name of [
    "LogStatusNotification",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
  ]) {
    expect(directionOf("1.6", name)).toBe("station");
  }
  for (const name of [
    "CertificateSigned",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetInstalledCertificateIds",
  ]) {
    expect(directionOf("1.6", name)).toBe("csms");
  }
  for (const name of ["GetLog", "InstallCertificate", "SignedUpdateFirmware"])
    expect(directionOf("1.6", name)).toBe("csms");
});

test("every action has a request, and a response unless it is a SEND", () => {
  for (const version of OCPP_VERSIONS) {
    for (const action of actionsOf(version)) {
      expect(validatePayload(version, action, "request", {})?.refusal, action).not.toBe("unknown-action");
      expect(validatePayload(version, action, "response", {})?.refusal === "protocol", action).toBe(
        isSend(version, action),
      );
    }
  }
});

test.each([
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "",
  "heartbeat",
  "HeartbeatRequest",
  "Heartbeat ",
])("%j is no action of any version", (name) => {
  for (const version of OCPP_VERSIONS) {
    expect([
      isAction(version, name),
      isStationAction(version, name),
      isCsmsAction(version, name),
      isSend(version, name),
    ]).toEqual([false, false, false, false]);
    expect(directionOf(version, name)).toBeUndefined();
    expect(validatePayload(version, name, "request", {})?.refusal).toBe("unknown-action");
    expect(validatePayload(version, name, "response", {})?.refusal).toBe("unknown-action");
  }
});

test("an action of a later version is unknown to an earlier one", () => {
  expect(isAction("1.6", "TransactionEvent")).toBe(false);
  expect(isAction("2.0.1", "StartTransaction")).toBe(false);
  expect(isAction("2.0.1", "NotifyPeriodicEventStream")).toBe(false);
  expect(isSend("2.1", "NotifyPeriodicEventStream")).toBe(true);
  expect(isSend("2.1", "OpenPeriodicEventStream")).toBe(false);
});

test("types follow the tables", () => {
  expectTypeOf<"Heartbeat">().toExtend<StationAction<"1.6">>();
  expectTypeOf<"Reset">().not.toExtend<StationAction<"1.6">>();
  expectTypeOf<"DataTransfer">().toExtend<StationAction<"2.0.1"> & CsmsAction<"2.0.1">>();
  expectTypeOf<RequestPayload<"1.6", "BootNotification">["chargePointVendor"]>().toEqualTypeOf<string>();
  expectTypeOf<RequestPayload<"2.0.1", "BootNotification">["chargingStation"]["model"]>().toEqualTypeOf<string>();
  expectTypeOf<ResponsePayload<"1.6", "BootNotification">["status"]>().toEqualTypeOf<
    "Accepted" | "Pending" | "Rejected"
  >();
  expectTypeOf<RequestPayload<"1.6", "Heartbeat">>().toEqualTypeOf<Record<string, never>>();
  expectTypeOf<ResponsePayload<"2.1", "NotifyPeriodicEventStream">>().toEqualTypeOf<never>();
});
