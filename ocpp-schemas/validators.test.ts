import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { expect, test } from "vitest";
import { validatePayload, type PayloadKind } from "./validators.ts";

const at = "2026-01-31T12:00:00Z";
const sampled = { timestamp: at, sampledValue: [{ value: "1.5" }] };
const period = (limit: number) => ({ chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit }] });
const profile = (limit: number) => ({
  connectorId: 1,
  csChargingProfiles: {
    chargingProfileId: 1,
    stackLevel: 0,
    chargingProfilePurpose: "TxProfile",
    chargingProfileKind: "Absolute",
    chargingSchedule: period(limit),
  },
});

const good: [OcppVersion, string, PayloadKind, object][] = [
  ["1.6", "BootNotification", "request", { chargePointVendor: "v", chargePointModel: "m" }],
  ["1.6", "BootNotification", "response", { status: "Accepted", currentTime: at, interval: 300 }],
  ["1.6", "Heartbeat", "request", {}],
  ["1.6", "StatusNotification", "request", { connectorId: 0, errorCode: "NoError", status: "Available" }],
  ["1.6", "StartTransaction", "request", { connectorId: 1, idTag: "A", meterStart: 0, timestamp: at }],
  ["1.6", "StopTransaction", "request", { transactionId: 1, meterStop: 10, timestamp: at }],
  ["1.6", "MeterValues", "request", { connectorId: 1, meterValue: [sampled] }],
  ["1.6", "SendLocalList", "request", { listVersion: 1, updateType: "Full" }],
  ["1.6", "SecurityEventNotification", "request", { type: "StartupOfTheDevice", timestamp: at }],
  ["1.6", "TriggerMessage", "request", { requestedMessage: "Heartbeat" }],
  ["1.6", "Reset", "request", { type: "Soft" }],
  ["2.0.1", "BootNotification", "request", { reason: "PowerUp", chargingStation: { model: "m", vendorName: "v" } }],
  [
    "2.0.1",
    "TransactionEvent",
    "request",
    {
      eventType: "Started",
      timestamp: at,
      triggerReason: "Authorized",
      seqNo: 0,
      transactionInfo: { transactionId: "t" },
    },
  ],
  ["2.0.1", "Authorize", "request", { idToken: { idToken: "A", type: "ISO14443" } }],
  ["2.0.1", "DataTransfer", "request", { vendorId: "v", data: [null, { any: "thing" }] }],
  ["2.0.1", "Heartbeat", "request", { customData: { vendorId: "v", anything: [1] } }],
  ["2.1", "NotifyPeriodicEventStream", "request", { id: 0, pending: 0, basetime: at, data: [{ v: "1", t: 0 }] }],
  ["2.1", "BootNotification", "response", { status: "Pending", currentTime: at, interval: 0 }],
];
test.each(good)("%s %s %s: the smallest valid payload passes", (version, action, kind, payload) => {
  expect(validatePayload(version, action, kind, payload)).toBeUndefined();
});

const boot201 = (chargingStation: object) => ({
  reason: "PowerUp",
  chargingStation: { model: "m", vendorName: "v", ...chargingStation },
});
const bad: [OcppVersion, string, object, string, string, string][] = [
  [
    "1.6",
    "BootNotification",
    { chargePointModel: "m" },
    "wrong-cardinality",
    "/chargePointVendor",
    "chargePointVendor: is missing",
  ],
  [
    "1.6",
    "StatusNotification",
    { connectorId: "1", errorCode: "NoError", status: "Available" },
    "wrong-type",
    "/connectorId",
    "connectorId: must be an integer",
  ],
  [
    "1.6",
    "StatusNotification",
    { connectorId: 1.5, errorCode: "NoError", status: "Available" },
    "wrong-type",
    "/connectorId",
    "connectorId: must be an integer",
  ],
  [
    "1.6",
    "BootNotification",
    { chargePointVendor: "v", chargePointModel: "m", iccid: null },
    "wrong-type",
    "/iccid",
    "iccid: must be a string; leave the field out instead of sending null",
  ],
  [
    "1.6",
    "BootNotification",
    { chargePointVendor: "v".repeat(21), chargePointModel: "m" },
    "out-of-range",
    "/chargePointVendor",
    "chargePointVendor: has 21 characters, at most 20 are allowed",
  ],
  ["1.6", "Reset", { type: "Warm" }, "out-of-range", "/type", 'type: must be one of Hard, Soft (got "Warm")'],
  [
    "1.6",
    "MeterValues",
    {
      connectorId: 1,
      meterValue: [sampled, { timestamp: at, sampledValue: [{ value: "1" }, { value: "2", unit: "kwh" }] }],
    },
    "out-of-range",
    "/meterValue/1/sampledValue/1/unit",
    'meterValue[1].sampledValue[1].unit: must be one of Wh, kWh, varh, kvarh, W, kW, VA, kVA, var, kvar, A, V, K, Celcius, Celsius, Fahrenheit, Percent (got "kwh")',
  ],
  [
    "1.6",
    "MeterValues",
    { connectorId: 1, meterValue: [{ ...sampled, timestamp: "2026-01-31T12:00:00" }] },
    "out-of-range",
    "/meterValue/0/timestamp",
    'meterValue[0].timestamp: must be a date and time with time zone, like 2026-01-31T12:00:00Z (got "2026-01-31T12:00:00")',
  ],
  [
    "1.6",
    "SetChargingProfile",
    profile(0.35),
    "out-of-range",
    "/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/0/limit",
    "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit: must be a multiple of 0.1 (got 0.35)",
  ],
  [
    "1.6",
    "GetDiagnostics",
    { location: "no uri" },
    "out-of-range",
    "/location",
    'location: must be a valid URI (got "no uri")',
  ],
  [
    "1.6",
    "Heartbeat",
    { "a/b": 1 },
    "malformed-payload",
    "/a~1b",
    "a/b: is not a field of this message; OCPP 1.6 has no vendor fields outside DataTransfer",
  ],
  [
    "2.0.1",
    "BootNotification",
    { reason: "PowerUp", chargingStation: { model: "m" } },
    "wrong-cardinality",
    "/chargingStation/vendorName",
    "chargingStation.vendorName: is missing",
  ],
  [
    "2.0.1",
    "BootNotification",
    boot201({ model: 7 }),
    "wrong-type",
    "/chargingStation/model",
    "chargingStation.model: must be a string",
  ],
  [
    "2.0.1",
    "BootNotification",
    boot201({ modem: [] }),
    "wrong-type",
    "/chargingStation/modem",
    "chargingStation.modem: must be an object",
  ],
  [
    "2.0.1",
    "BootNotification",
    boot201({ serialNumber: "😀".repeat(26) }),
    "out-of-range",
    "/chargingStation/serialNumber",
    "chargingStation.serialNumber: has 26 characters, at most 25 are allowed",
  ],
  [
    "2.0.1",
    "BootNotification",
    boot201({ colour: "red" }),
    "malformed-payload",
    "/chargingStation/colour",
    "chargingStation.colour: is not a field of this message; vendor fields belong in customData",
  ],
  [
    "2.0.1",
    "Heartbeat",
    { customData: {} },
    "wrong-cardinality",
    "/customData/vendorId",
    "customData.vendorId: is missing",
  ],
  [
    "2.0.1",
    "GetVariables",
    { getVariableData: [] },
    "wrong-cardinality",
    "/getVariableData",
    "getVariableData: must have at least 1 entry",
  ],
  [
    "2.0.1",
    "Authorize",
    {
      idToken: { idToken: "A", type: "Central" },
      iso15118CertificateHashData: Array.from({ length: 5 }, () => ({
        hashAlgorithm: "SHA256",
        issuerNameHash: "a",
        issuerKeyHash: "b",
        serialNumber: "c",
        responderURL: "d",
      })),
    },
    "wrong-cardinality",
    "/iso15118CertificateHashData",
    "iso15118CertificateHashData: has 5 entries, at most 4 are allowed",
  ],
  ["2.0.1", "SetMonitoringLevel", { severity: "high" }, "wrong-type", "/severity", "severity: must be an integer"],
  [
    "2.1",
    "AdjustPeriodicEventStream",
    { id: -1, params: {} },
    "out-of-range",
    "/id",
    "id: must be at least 0 (got -1)",
  ],
  [
    "2.1",
    "BootNotification",
    { reason: "Sunrise", chargingStation: { model: "m", vendorName: "v" } },
    "out-of-range",
    "/reason",
    'reason: must be one of ApplicationReset, FirmwareUpdate, LocalReset, PowerUp, RemoteReset, ScheduledReset, Triggered, Unknown, Watchdog (got "Sunrise")',
  ],
];
test.each(bad)("%s %s %j is refused as %s at %s", (version, action, payload, refusal, pointer, description) => {
  expect(validatePayload(version, action, "request", payload)).toEqual({ refusal, pointer, description });
});

test.each([[[]], [null], [undefined], ["text"], [7], [true]])(
  "a payload that is no object is malformed: %j",
  (payload) => {
    expect(validatePayload("1.6", "Heartbeat", "request", payload)).toEqual({
      refusal: "wrong-type",
      pointer: "",
      description: "the payload must be a JSON object",
    });
  },
);

test("[C19] __proto__ in a payload is an unknown field, not a prototype", () => {
  const payload: unknown = JSON.parse('{"chargePointVendor":"v","chargePointModel":"m","__proto__":{}}');
  expect(validatePayload("1.6", "BootNotification", "request", payload)?.pointer).toBe("/__proto__");
});

test("[F14] 1.6 limits are multiples of 0.1 as a person counts, not as binary fractions do", () => {
  for (const limit of [0.1, 0.3, 0.7, 16.1, 32.3])
    expect(validatePayload("1.6", "SetChargingProfile", "request", profile(limit))).toBeUndefined();
});

test("[F14] the 1.6 schemas are the corrected ones (OCPP-J 1.6 errata 2025-04 §2, §3.2)", () => {
  const inUnit = (unit: string) => ({
    connectorId: 1,
    meterValue: [{ timestamp: at, sampledValue: [{ value: "21", unit }] }],
  });
  expect(validatePayload("1.6", "MeterValues", "request", inUnit("Celsius"))).toBeUndefined();
  expect(validatePayload("1.6", "MeterValues", "request", inUnit("Celcius"))).toBeUndefined();
  const stop = { transactionId: 1, meterStop: 10, timestamp: at };
  expect(validatePayload("1.6", "StopTransaction", "request", stop)).toBeUndefined();
  expect(
    validatePayload("1.6", "BootNotification", "response", { status: "Accepted", currentTime: at, interval: 1.5 })
      ?.refusal,
  ).toBe("wrong-type");
  const list = { listVersion: 1, updateType: "Differential", localAuthorizationList: [{ idTag: "A" }] };
  expect(validatePayload("1.6", "SendLocalList", "request", list)).toBeUndefined();
  const inside = {
    listVersion: 1,
    updateType: "Full",
    localAuthorizationList: [{ idTag: "A", idTagInfo: { status: "Accepted", x: 1 } }],
  };
  expect(validatePayload("1.6", "SendLocalList", "request", inside)?.pointer).toBe(
    "/localAuthorizationList/0/idTagInfo/x",
  );
});

test("[F15] 2.x: every class is closed, at any depth, and customData is the one way out of it", () => {
  const boot = (more: object, inside: object = {}) => ({ ...boot201(inside), ...more });
  for (const version of ["2.0.1", "2.1"] as const) {
    const refused = (payload: object) => validatePayload(version, "BootNotification", "request", payload);
    expect(refused(boot({ vendorData: 1 }))).toMatchObject({ refusal: "malformed-payload", pointer: "/vendorData" });
    expect(refused(boot({}, { modem: { rssi: 1 } }))?.pointer).toBe("/chargingStation/modem/rssi");
    expect(refused(boot({}, { modem: { customData: { vendorId: "v", rssi: 1 } } }))).toBeUndefined();
    expect(refused(boot({ customData: { rssi: 1 } }))?.pointer).toBe("/customData/vendorId");
  }
});

test("[H6] the same payload is right in one version and wrong in another", () => {
  const status16 = { connectorId: 1, errorCode: "NoError", status: "Available" };
  const refusals = (["1.6", "2.0.1", "2.1"] as const).map(
    (version) => validatePayload(version, "StatusNotification", "request", status16) === undefined,
  );
  expect(refusals).toEqual([true, false, false]);
});
