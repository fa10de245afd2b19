import { type LaneFrame, REFUSED_IN_SILENCE } from "@dynamo-csms/proto/stream-entry";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { expect, test } from "vitest";
import { collectEffects } from "./collect-effects.ts";
import { Effects } from "./effects.ts";

const identity = "cp_1" as StationIdentity;
const stations = new Map([["cp_1", { id: "7", chargePointId: "cp_1", orgId: "org_1", projectId: null }]]);
const frame = (text: string, more: Partial<LaneFrame> = {}): LaneFrame => ({
  kind: "inbound",
  identity,
  version: "1.6",
  epoch: 5,
  seq: 1,
  receivedAtMs: 1_000,
  text,
  flagged: false,
  ...more,
});

function collect(frames: LaneFrame[], logHeartbeats = false): Effects {
  const effects = new Effects();
  for (const one of frames) collectEffects(one, stations, { logHeartbeats }, effects);
  return effects;
}

test("Heartbeats are signs of life, and stay out of the log unless it is wanted", () => {
  const beats = [frame('[2,"1","Heartbeat",{}]'), frame('[2,"2","Heartbeat",{}]', { seq: 2, receivedAtMs: 3_000 })];
  const effects = collect(beats);
  expect(effects.seen).toEqual([{ stationId: "7", lastSeenAt: new Date(3_000), lastHeartbeatAt: new Date(3_000) }]);
  expect(effects.frames).toEqual([]);
  expect(collect(beats, true).frames).toHaveLength(2);
});

test("answers of the station and frames that are none are logged, and nothing else", () => {
  const effects = collect([frame('[3,"cmd_1",{"status":"Accepted"}]'), frame("no frame", { seq: 2 })]);
  expect(effects.frames.map(({ action, messageId, direction }) => [action, messageId, direction])).toEqual([
    [null, "cmd_1", "inbound"],
    [null, null, "inbound"],
  ]);
  expect(effects.statuses).toEqual([]);
});

test("our own CALLs are logged as outbound, and are no sign of life", () => {
  const effects = collect([frame('[2,"cmd_1","Reset",{"type":"Soft"}]', { kind: "outbound" })]);
  expect(effects.frames).toMatchObject([{ direction: "outbound", action: "Reset" }]);
  expect(effects.seen).toEqual([]);
});

test("a message that was answered with an error is logged with it, and has no effect", () => {
  const text = '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]';
  expect(collect([frame(text)]).statuses).toHaveLength(1);
  const answer = '[4,"1","InternalError","",{}]';
  const refused = collect([
    frame(text, { answer }),
    frame('[2,"2","Heartbeat",[]]', { answer, flagged: true, seq: 2 }),
    frame('[2,"3","NoSuchAction",null]', { answer, seq: 3 }),
  ]);
  expect(refused.statuses).toEqual([]);
  expect(refused.quarantined).toEqual([]);
  expect(refused.seen).toEqual([{ stationId: "7", lastSeenAt: new Date(1_000), lastHeartbeatAt: undefined }]);
  expect(refused.frames.map((logged) => [logged.action, logged.answer, logged.flagged])).toEqual([
    ["StatusNotification", answer, false],
    ["Heartbeat", answer, true],
    ["NoSuchAction", answer, false],
  ]);
});

test("what was refused without a word is logged without an answer, and has no effect, whatever it looks like", () => {
  const status = '{"connectorId":1,"errorCode":"NoError","status":"Available"}';
  const silent = { answer: REFUSED_IN_SILENCE, flagged: true };
  const refused = collect([
    frame(`[6,"1","StatusNotification",${status}]`, silent),
    frame(`[2,"2","StatusNotification",${status}]`, { ...silent, seq: 2 }),
    frame('[2,"3","StopTransaction",{"transactionId":1,', { ...silent, seq: 3 }),
  ]);
  expect([refused.statuses, refused.quarantined]).toEqual([[], []]);
  expect(refused.frames.map(({ answer, flagged }) => [answer, flagged])).toEqual([
    [null, true],
    [null, true],
    [null, true],
  ]);
});

test("the same action has the fields of its version", () => {
  const effects = collect([
    frame('[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'),
    frame(
      '[2,"2","StatusNotification",{"timestamp":"2026-05-01T10:00:00Z","connectorStatus":"Occupied","evseId":2,"connectorId":1}]',
      { version: "2.1", seq: 2 },
    ),
  ]);
  expect(effects.statuses.map(({ evseId, connectorId, status }) => [evseId, connectorId, status])).toEqual([
    [0, 1, "Available"],
    [2, 1, "Occupied"],
  ]);
});

test("a connector that no column can hold is set aside, not thrown away and not fatal", () => {
  const effects = collect([
    frame('[2,"1","StatusNotification",{"connectorId":1e300,"errorCode":"NoError","status":"Available"}]'),
  ]);
  expect(effects.statuses).toEqual([]);
  expect(effects.quarantined).toMatchObject([
    {
      action: "StatusNotification",
      reason: "cannot be read",
      raw: '{"connectorId":1e300,"errorCode":"NoError","status":"Available"}',
    },
  ]);
});

test("names that every object has are not actions", () => {
  expect(() => collect([frame('[2,"1","__proto__",{}]'), frame('[2,"2","constructor",{}]', { seq: 2 })])).not.toThrow();
});

test("a boot that was answered Accepted is one for the registration; Pending is not", () => {
  const boot = (status: string) =>
    frame('[2,"1","BootNotification",{"chargePointVendor":"A","chargePointModel":"B"}]', {
      answer: `[3,"1",{"status":"${status}","currentTime":"2026-05-01T10:00:00Z","interval":60}]`,
    });
  expect([...collect([boot("Accepted")]).accepted]).toEqual(["7"]);
  expect([...collect([boot("Pending")]).accepted]).toEqual([]);
});

test("lane events become connections, command reports and the lane's end; unknown kinds are skipped", () => {
  const event = (value: object, of: StationIdentity | "" = identity) =>
    frame(JSON.stringify(value), { kind: "event", identity: of });
  const effects = collect([
    event({ event: "opened", nodeId: "n", remoteAddress: "::1", subprotocol: "ocpp1.6", notes: [] }),
    event({ event: "closed", nodeId: "n", code: 1006, reason: "a\u0000b" }),
    event({ event: "commandSent", nodeId: "n", commandId: "cmd_1", sentAtMs: 9 }),
    event({ event: "commandOutcome", nodeId: "n", commandId: "cmd_1", outcome: { state: "accepted" } }),
    event({ event: "of-the-next-release" }),
    event({ event: "sealed", nodeId: "n" }, ""),
  ]);
  expect(effects.connections).toMatchObject([
    { kind: "opened", ocppVersion: "1.6" },
    { kind: "closed", reason: "a\uFFFDb" },
  ]);
  expect(effects.commands).toMatchObject([
    { kind: "sent", at: new Date(9) },
    { kind: "outcome", outcome: { state: "accepted" } },
  ]);
  expect(effects.sealed).toBe(true);
});

test("a frame of a station that does not exist cannot be used", () => {
  expect(() => collect([frame('[2,"1","Heartbeat",{}]', { identity: "cp_2" as StationIdentity })])).toThrow(
    "no station has this identity",
  );
});
