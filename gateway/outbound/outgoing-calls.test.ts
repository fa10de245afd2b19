import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { decodeFrame } from "@dynamo-csms/proto/ocpp-frame";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Registration, StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import { Session } from "../sockets/session.ts";
import { createOutgoingCalls } from "./outgoing-calls.ts";

function scene(options: { version?: OcppVersion; registration?: Registration; sends?: boolean } = {}) {
  const sent: string[] = [];
  const told: [string, CommandOutcome][] = [];
  const stored: string[] = [];
  const events: LaneEvent[] = [];
  let nowMs = 1_000;
  let timers: { atMs: number; run: () => void }[] = [];
  const log = pino({ level: "silent" });
  const session = new Session(
    {
      identity: "cs-1" as StationIdentity,
      version: options.version ?? "1.6",
      epoch: 7,
      record: { registration: options.registration ?? "accepted" } as StationRecord,
      remoteAddress: "",
    },
    { send: (text) => (options.sends ?? true) && sent.push(text) > 0, close: () => undefined },
    log,
  );
  const outgoing = createOutgoingCalls({
    nodeId: "node-1",
    lane: {
      append: (_prefix, _flags, _seq, _atMs, text) => void stored.push(Buffer.from(text).toString()),
      appendEvent: (_session, event) => void events.push(event),
    },
    metrics: createMetrics({ version: "test", nodeId: "node-1" }),
    log,
    clock: {
      nowMs: () => nowMs,
      after(ms, run) {
        const timer = { atMs: nowMs + ms, run };
        timers.push(timer);
        return { cancel: () => void (timers = timers.filter((other) => other !== timer)) };
      },
    },
  });
  outgoing.sessionOpened(session);
  return {
    session,
    outgoing,
    sent,
    told,
    stored,
    events,
    pass(ms: number) {
      nowMs += ms;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { run } of due) run();
    },
    call: (
      commandId: string,
      action = "Reset",
      payload: object = { type: "Soft" },
      more: { secretPaths?: string[]; deadlineAtMs?: number } = {},
    ) =>
      outgoing.enqueue(session, {
        commandId,
        action,
        payload: JSON.stringify(payload),
        secretPaths: more.secretPaths ?? [],
        callTimeoutMs: 30_000,
        deadlineAtMs: more.deadlineAtMs ?? 61_000,
        onSent: () => undefined,
        onOutcome: (outcome) => told.push([commandId, outcome]),
      }),
    /** False: the frame was for nobody. */
    answer(text: string): boolean {
      const decoded = decodeFrame(text);
      if (!decoded.ok || decoded.value.kind === "call" || decoded.value.kind === "send") throw new Error("no answer");
      return outgoing.settle(session, decoded.value, text, Buffer.from(text));
    },
    states: () => told.map(([id, { state }]) => `${id} ${state}`),
  };
}

test("a call waits behind the one that is open", () => {
  const { call, answer, sent, states } = scene();
  call("a");
  call("b");
  expect(sent).toEqual(['[2,"a","Reset",{"type":"Soft"}]']);
  expect(answer('[3,"a",{"status":"Accepted"}]')).toBe(true);
  expect(sent).toHaveLength(2);
  answer('[3,"b",{"status":"Rejected"}]');
  expect(states()).toEqual(["a accepted", "b rejected"]);
});

test.each([
  ["UnlockConnector", { connectorId: 1 }, { status: "Unlocked" }, "accepted"],
  ["UnlockConnector", { connectorId: 1 }, { status: "UnlockFailed" }, "rejected"],
  ["ChangeAvailability", { connectorId: 1, type: "Operative" }, { status: "Scheduled" }, "accepted"],
  ["ChangeConfiguration", { key: "a", value: "b" }, { status: "RebootRequired" }, "accepted"],
  ["ChangeConfiguration", { key: "a", value: "b" }, { status: "NotSupported" }, "rejected"],
  ["GetConfiguration", {}, { unknownKey: ["a"] }, "accepted"],
  ["GetConfiguration", {}, { configurationKey: "a" }, "error"],
] as const)("%s %j answered %j is %s", (action, request, response, state) => {
  const { call, answer, states } = scene();
  call("a", action, request);
  answer(JSON.stringify([3, "a", response]));
  expect(states()).toEqual([`a ${state}`]);
});

test("a CALLERROR is an error in the station's words", () => {
  const { call, answer, told } = scene();
  call("a");
  answer('[4,"a","NotSupported","no such thing",{}]');
  expect(told[0]?.[1]).toMatchObject({ state: "error", error: { code: "NotSupported", description: "no such thing" } });
});

test("an answer that comes too late is for nobody, and does not touch the next call", () => {
  const { call, answer, pass, states, sent } = scene();
  call("a");
  call("b");
  pass(30_000);
  expect(states()).toEqual(["a timeout"]);
  expect(sent).toHaveLength(2);
  expect(answer('[3,"a",{"status":"Accepted"}]')).toBe(false);
  expect(answer('[3,"b",{"status":"Accepted"}]')).toBe(true);
  expect(states()).toEqual(["a timeout", "b accepted"]);
});

test("an invented id, and a CALLRESULTERROR, settle nothing", () => {
  const { call, answer, states } = scene();
  call("a");
  expect(answer('[3,"x",{}]')).toBe(false);
  expect(answer('[5,"a","GenericError","",{}]')).toBe(false);
  expect(states()).toEqual([]);
});

test("the connection ends: what was sent is unknown, what was not is not_connected", () => {
  const { call, outgoing, session, states, answer } = scene();
  call("a");
  call("b");
  outgoing.sessionClosed(session);
  expect(states()).toEqual(["a unknown", "b not_connected"]);
  expect(answer('[3,"a",{"status":"Accepted"}]')).toBe(false);
  call("c");
  expect(states()).toEqual(["a unknown", "b not_connected", "c not_connected"]);
});

test("a frame that the socket did not take was never sent", () => {
  const { call, states } = scene({ sends: false });
  call("a");
  expect(states()).toEqual(["a not_connected"]);
});

test("a call whose deadline passes in the queue is never sent", () => {
  const { call, pass, answer, sent, states } = scene();
  call("a");
  call("b", "Reset", { type: "Soft" }, { deadlineAtMs: 6_000 });
  pass(5_000);
  expect(states()).toEqual(["b not_connected"]);
  answer('[3,"a",{"status":"Accepted"}]');
  expect(sent).toHaveLength(1);
});

test("nothing is sent to a rejected station", () => {
  const { call, sent, states } = scene({ registration: "rejected" });
  call("a", "TriggerMessage", { requestedMessage: "BootNotification" });
  expect(sent).toEqual([]);
  expect(states()).toEqual(["a not_connected"]);
});

test("what the station agreed to send is remembered for this connection, for a while", () => {
  const { call, answer, pass, outgoing, session } = scene({ registration: "pending" });
  call("a", "TriggerMessage", { requestedMessage: "StatusNotification" });
  expect(outgoing.askedFor(session, "StatusNotification")).toBe(false);
  answer('[3,"a",{"status":"Accepted"}]');
  expect(outgoing.askedFor(session, "StatusNotification")).toBe(true);
  expect(outgoing.askedFor(session, "MeterValues")).toBe(false);
  pass(10 * 60_000);
  expect(outgoing.askedFor(session, "StatusNotification")).toBe(false);
});

test("what the station refused to send was not asked for", () => {
  const { call, answer, outgoing, session } = scene({ registration: "pending" });
  call("a", "TriggerMessage", { requestedMessage: "StatusNotification" });
  answer('[3,"a",{"status":"Rejected"}]');
  expect(outgoing.askedFor(session, "StatusNotification")).toBe(false);
});

test("only 2.1 says CALLRESULTERROR to a result that breaks its schema", () => {
  const newer = scene({ version: "2.1" });
  newer.call("a", "Reset", { type: "Immediate" });
  newer.answer('[3,"a",{"status":"Perhaps"}]');
  expect(JSON.parse(newer.sent[1] ?? "")).toEqual([
    5,
    "a",
    "PropertyConstraintViolation",
    expect.stringContaining("status"),
    {},
  ]);
  const older = scene({ version: "2.0.1" });
  older.call("a", "Reset", { type: "Immediate" });
  older.answer('[3,"a",{"status":"Perhaps"}]');
  expect(older.sent).toHaveLength(1);
  expect(older.states()).toEqual(["a error"]);
});

test("both frames and both events go into the lane, in order, without the secret", () => {
  const { call, answer, stored, events, sent, told } = scene();
  call("a", "ChangeConfiguration", { key: "AuthorizationKey", value: "hunter2" }, { secretPaths: ["value"] });
  answer('[3,"a",{"status":"Accepted"}]');
  call("b", "GetConfiguration", { key: ["AuthorizationKey"] });
  answer('[3,"b",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"hunter2"}]}]');
  expect(sent[0]).toContain("hunter2");
  expect(stored).toHaveLength(4);
  expect(stored.join() + JSON.stringify(events) + JSON.stringify(told)).not.toContain("hunter2");
  expect(events.map(({ event }) => event)).toEqual(["commandSent", "commandOutcome", "commandSent", "commandOutcome"]);
});

test("settling waits for the open call, drops the queued ones, and takes nothing new", async () => {
  const { call, answer, outgoing, states } = scene();
  call("a");
  call("b");
  let settled = false;
  const settling = outgoing.settleAll(10_000).then(() => (settled = true));
  call("c");
  await Promise.resolve();
  expect(settled).toBe(false);
  expect(states()).toEqual(["b not_connected", "c not_connected"]);
  answer('[3,"a",{"status":"Accepted"}]');
  await settling;
  expect(states()).toEqual(["b not_connected", "c not_connected", "a accepted"]);
});

test("settling gives up at its deadline", async () => {
  const { call, outgoing, pass, states } = scene();
  call("a");
  const settling = outgoing.settleAll(10_000);
  pass(10_000);
  await settling;
  expect(states()).toEqual([]);
});
