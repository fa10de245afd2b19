import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { QuirkSettings } from "@dynamo-csms/proto/quirks";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import { Session } from "../sockets/session.ts";
import { createPayloadCheck } from "./payload-check.ts";

function scene(quirks: QuirkSettings | undefined, version: OcppVersion = "1.6") {
  const events: LaneEvent[] = [];
  let timers: (() => void)[] = [];
  const session = new Session(
    {
      identity: "cs-1" as StationIdentity,
      version,
      epoch: 7,
      record: { ...(quirks === undefined ? {} : { quirks }) } as StationRecord,
      remoteAddress: "",
    },
    { send: () => true, close: () => undefined, answersPing: async () => true, recordChanged: () => undefined },
    pino({ level: "silent" }),
  );
  const check = createPayloadCheck({
    nodeId: "node-1",
    lane: { appendEvent: (_session, event) => void events.push(event) },
    metrics: createMetrics({ version: "test", nodeId: "node-1" }),
    after: (_ms, run) => void timers.push(run),
  });
  return {
    session,
    events,
    timers: () => timers.length,
    refusal: (action: string, payload: unknown) => check(session, action, "request", payload)?.pointer,
    told: () =>
      events.map((event) => (event.event === "quirk" ? [event.quirk, event.mode, event.count, event.detail] : [])),
    minute() {
      const due = timers;
      timers = [];
      for (const run of due) run();
    },
  };
}

const START = { connectorId: 1, idTag: "TAG", meterStart: 0, timestamp: "2026-01-01T00:00:00Z" };
const status = (more: object) => ({ connectorId: 1, errorCode: "NoError", status: "Available", ...more });
const accept = { mode: "accept" } as const;
const reportOnly = { mode: "report_only" } as const;

test("without a profile nothing is forgiven, and nothing told", () => {
  for (const quirks of [undefined, {}, { ping_interval: { ...accept, seconds: 20 } }]) {
    const { refusal, events } = scene(quirks);
    expect(refusal("StatusNotification", status({ uptime: 1 }))).toBe("/uptime");
    expect(events).toEqual([]);
  }
});

test("unknown fields, anywhere", () => {
  const { refusal, told } = scene({ unknown_fields: accept });
  expect(refusal("StatusNotification", status({ uptime: 1, "a/b~c": { x: 1 } }))).toBeUndefined();
  const sampled = (more: object) => ({ timestamp: START.timestamp, sampledValue: [{ value: "1", ...more }] });
  const meterValues = { connectorId: 1, meterValue: Array.from({ length: 500 }, (_, n) => sampled({ n })) };
  expect(refusal("MeterValues", meterValues)).toBeUndefined();
  expect(told()).toEqual([["unknown_fields", "accept", 1, "StatusNotification: uptime: unknown field"]]);
});

test("[C19] __proto__ as an unknown field is taken out of the copy, and of nothing else", () => {
  const { refusal } = scene({ unknown_fields: accept });
  const payload = JSON.parse(JSON.stringify(status({})).replace("{", '{"__proto__":{"polluted":1},')) as object;
  expect(refusal("StatusNotification", payload)).toBeUndefined();
  expect(Object.hasOwn(payload, "__proto__")).toBe(true);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test("strings up to the length that the profile names, and no longer", () => {
  const { refusal, told } = scene({ over_long_strings: { ...accept, max_length: 30 } });
  expect(refusal("StartTransaction", { ...START, idTag: "x".repeat(30) })).toBeUndefined();
  expect(refusal("StartTransaction", { ...START, idTag: "x".repeat(31) })).toBe("/idTag");
  expect(refusal("StatusNotification", status({ vendorId: "v", status: "x".repeat(25) }))).toBe("/status");
  expect(told()).toEqual([["over_long_strings", "accept", 1, "StartTransaction: idTag: longer than 20 characters"]]);
});

test("[C22] timestamps without zone, with a blank for the T, or empty", () => {
  const { refusal, told } = scene({ odd_timestamps: accept });
  for (const timestamp of ["2026-01-01T00:00:00", "2026-01-01 00:00:00", " 2026-01-01T00:00:00Z ", "", "  "])
    expect(refusal("StartTransaction", { ...START, timestamp })).toBeUndefined();
  for (const timestamp of ["yesterday", "2026-13-01T00:00:00", "01.01.2026 00:00", "2027-02-30T00:00:00"])
    expect(refusal("StartTransaction", { ...START, timestamp })).toBe("/timestamp");
  expect(told()).toEqual([["odd_timestamps", "accept", 1, "StartTransaction: timestamp: no RFC 3339 time"]]);
});

test("the payload is left as it is: what is stored and decided on is what the station wrote", () => {
  const { refusal } = scene({
    odd_timestamps: accept,
    unknown_fields: accept,
    over_long_strings: { ...accept, max_length: 99 },
  });
  const payload = { ...START, idTag: "x".repeat(25), timestamp: "2026-01-01 00:00:00", uptime: 1 };
  const before = structuredClone(payload);
  expect(refusal("StartTransaction", payload)).toBeUndefined();
  expect(payload).toEqual(before);
});

test("one mistake that no quirk names and all of it is refused, with nothing told", () => {
  const { refusal, events } = scene({ unknown_fields: accept, odd_timestamps: accept });
  expect(refusal("StatusNotification", status({ uptime: 1, timestamp: "", connectorId: "one" }))).toBeDefined();
  expect(refusal("StatusNotification", [])).toBe("");
  expect(events).toEqual([]);
});

test("report_only refuses as ever, and tells what it would have forgiven", () => {
  const { refusal, told } = scene({ unknown_fields: reportOnly, odd_timestamps: accept });
  expect(refusal("StatusNotification", status({ timestamp: "", uptime: 1 }))).toBeDefined();
  expect(told()).toEqual([["unknown_fields", "report_only", 1, "StatusNotification: uptime: unknown field"]]);
  expect(refusal("StatusNotification", status({ timestamp: "" }))).toBeUndefined();
  expect(told().at(-1)).toEqual(["odd_timestamps", "accept", 1, "StatusNotification: timestamp: no RFC 3339 time"]);
});

test("[D12] the first is told at once, the others once a minute as a number, and silence ends it", () => {
  const { refusal, told, minute, timers } = scene({ unknown_fields: accept });
  for (let n = 0; n < 100; n++) refusal("StatusNotification", status({ uptime: n }));
  expect(told().map(([, , count]) => count)).toEqual([1]);
  minute();
  expect(told().map(([, , count]) => count)).toEqual([1, 99]);
  minute();
  expect([told().length, timers()]).toEqual([2, 0]);
  refusal("StatusNotification", status({ uptime: 1 }));
  expect(told().map(([, , count]) => count)).toEqual([1, 99, 1]);
});

test("what a closed connection still had to tell is told, and that is all", () => {
  const { refusal, told, minute, timers, session } = scene({ unknown_fields: accept });
  for (let n = 0; n < 3; n++) refusal("StatusNotification", status({ uptime: n }));
  session.close(1012, "");
  minute();
  expect([told().map(([, , count]) => count), timers()]).toEqual([[1, 2], 0]);
});

test("[D11] a field's made-up name is told short and harmless, and no value at all", () => {
  const { refusal, told } = scene({ unknown_fields: accept });
  refusal("StatusNotification", status({ [`a\r\n\u001b[31m${"ü".repeat(1_000)}`]: "hunter2" }));
  const [[, , , detail]] = told() as [[string, string, number, string]];
  expect(detail).toMatch(/^StatusNotification: a\?\?\?\[31m\?+: unknown field$/);
  expect(detail.length).toBeLessThan(220);
});

test("a payload with more kinds of mistakes than a firmware has is refused, whatever is forgiven", () => {
  const { refusal, events } = scene({ unknown_fields: accept });
  const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 1]));
  expect(refusal("StatusNotification", status(fields(33)))).toBeDefined();
  expect(refusal("StatusNotification", status(fields(20_000)))).toBeDefined();
  expect(events).toEqual([]);
  expect(refusal("StatusNotification", status(fields(32)))).toBeUndefined();
});

test("2.x: what customData holds is no mistake, what stands beside it is", () => {
  const { refusal, told } = scene({ unknown_fields: accept }, "2.0.1");
  expect(refusal("Heartbeat", { customData: { vendorId: "v", anything: 1 } })).toBeUndefined();
  expect(told()).toEqual([]);
  expect(refusal("Heartbeat", { uptime: 1 })).toBeUndefined();
  expect(told()).toHaveLength(1);
});
