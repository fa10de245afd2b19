import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { decodeFrame } from "@dynamo-csms/proto/ocpp-frame";
import type { QuirkSettings } from "@dynamo-csms/proto/quirks";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { FLAG_FLAGGED } from "@dynamo-csms/proto/stream-entry";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Registration, StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import { createPayloadCheck } from "../inbound/payload-check.ts";
import { Session } from "../sockets/session.ts";
import { createOutgoingCalls, type OutgoingCallsDeps } from "./outgoing-calls.ts";

function scene(
  options: { version?: OcppVersion; registration?: Registration; quirks?: QuirkSettings; sends?: boolean } = {},
) {
  const sent: string[] = [];
  const told: [string, CommandOutcome][] = [];
  const stored: string[] = [];
  const events: LaneEvent[] = [];
  /** Of the stored frames: which are flagged, and the answers that we gave to them. */
  const flagged: boolean[] = [];
  const replies: string[] = [];
  let nowMs = 1_000;
  let timers: { atMs: number; run: () => void }[] = [];
  const log = pino({ level: "silent" });
  const connection = (identity: string, epoch: number) =>
    new Session(
      {
        identity: identity as StationIdentity,
        version: options.version ?? "1.6",
        epoch,
        record: { registration: options.registration ?? "accepted", quirks: options.quirks } as StationRecord,
        remoteAddress: "",
      },
      {
        send: (text) => (options.sends ?? true) && sent.push(String(text)) > 0,
        close: () => undefined,
        answersPing: async () => true,
        recordChanged: () => undefined,
      },
      log,
    );
  const session = connection("cs-1", 7);
  const lane: OutgoingCallsDeps["lane"] = {
    append(_prefix, flags, _seq, _atMs, text, answer) {
      stored.push(Buffer.from(text).toString());
      if (answer !== undefined) replies.push(Buffer.from(answer.text).toString());
      flagged.push((flags & FLAG_FLAGGED) !== 0);
    },
    appendEvent: (_session, event) => void events.push(event),
  };
  const metrics = createMetrics({ version: "test", nodeId: "node-1" });
  const outgoing = createOutgoingCalls({
    nodeId: "node-1",
    lane,
    checkPayload: createPayloadCheck({ nodeId: "node-1", lane, metrics, after: () => undefined }),
    metrics,
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
  return {
    connection,
    session,
    outgoing,
    sent,
    told,
    stored,
    flagged,
    replies,
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
    answer(text: string, from = session): boolean {
      const decoded = decodeFrame(text);
      if (!decoded.ok || (decoded.value.kind !== "callResult" && decoded.value.kind !== "callError"))
        throw new Error("no answer");
      return outgoing.settle(from, decoded.value, text, Buffer.from(text));
    },
    states: () => told.map(([id, { state }]) => `${id} ${state}`),
  };
}

// Broken once on purpose: with the next call sent whatever is open (outgoing-calls.ts, next) it fails: two CALLs before
// the first answer.
test("[I6] [F2] a call waits behind the one that is open", () => {
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

// Broken once on purpose: without the timer of the open call (outgoing-calls.ts, send) it fails: [] for ["a timeout"].
test("[I7] [F11] an answer that comes too late is for nobody, and does not touch the next call", () => {
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

// Broken once on purpose: with the open call looked for on all connections (outgoing-calls.ts, settle) it fails: "expected true
// to be false", for the other station and for the same one's next connection.
test("[I5] an answer is for its own connection alone, though somebody else knows the id", () => {
  const { answer, call, connection, states } = scene();
  call("a");
  for (const other of [connection("cs-2", 7), connection("cs-1", 8)]) {
    expect(answer('[3,"a",{"status":"Accepted"}]', other)).toBe(false);
    expect(answer('[4,"a","GenericError","",{}]', other)).toBe(false);
  }
  expect(states()).toEqual([]);
  expect(answer('[3,"a",{"status":"Rejected"}]')).toBe(true);
  expect(states()).toEqual(["a rejected"]);
});

// Broken once on purpose: without the comparison of the message id (outgoing-calls.ts, settle) it fails: "expected true to
// be false".
test("[I5] [F11] an invented id settles nothing", () => {
  const { call, answer, states } = scene();
  call("a");
  expect(answer('[3,"x",{}]')).toBe(false);
  expect(answer('[4,"x","GenericError","",{}]')).toBe(false);
  expect(states()).toEqual([]);
});

test("[C12] [F11] an answer that comes after its deadline is given to nobody, ten thousand times", () => {
  const { call, answer, pass, states } = scene();
  for (let n = 0; n < 10_000; n++) {
    call(`late-${n}`, "Reset", { type: "Soft" }, { deadlineAtMs: Infinity });
    pass(30_000);
    call(`next-${n}`, "Reset", { type: "Soft" }, { deadlineAtMs: Infinity });
    expect(answer(`[3,"late-${n}",{"status":"Rejected"}]`)).toBe(false);
    expect(answer(`[3,"next-${n}",{"status":"Accepted"}]`)).toBe(true);
  }
  const counted = Map.groupBy(states(), (state) => state.replace(/\d+/, "N"));
  expect([...counted].map(([state, all]) => [state, all.length])).toEqual([
    ["late-N timeout", 10_000],
    ["next-N accepted", 10_000],
  ]);
}, 60_000);

test("[1.3-codes] a CALLERROR counts whatever the spelling of its code, and keeps it", () => {
  const codes = [
    "FormationViolation",
    "FormatViolation",
    "OccurenceConstraintViolation",
    "OccurrenceConstraintViolation",
    "Oops",
  ];
  for (const version of ["1.6", "2.0.1", "2.1"] as const) {
    const { call, answer, told } = scene({ version });
    for (const code of codes) {
      call(code, "ClearCache", {});
      answer(JSON.stringify([4, code, code, "", {}]));
    }
    expect(told.map(([, { state, error }]) => [state, error?.code])).toEqual(codes.map((code) => ["error", code]));
  }
});

test("[F10] 2.1 refuses a bad CALLRESULT once: its copy is for nobody, and a bad CALLERROR is not answered at all", () => {
  const { call, answer, sent, flagged, replies } = scene({ version: "2.1" });
  call("a", "Reset", { type: "Immediate" });
  answer('[3,"a",{"status":"Perhaps"}]');
  expect(answer('[3,"a",{"status":"Perhaps"}]')).toBe(false);
  call("b", "Reset", { type: "Immediate" });
  answer('[4,"b",7]');
  expect(sent.map((text) => text.slice(0, 6))).toEqual(['[2,"a"', '[5,"a"', '[2,"b"']);
  // The message log has the bad answer, flagged, with what was said to it.
  expect(flagged).toEqual([false, true, false, false]);
  expect(replies).toEqual([sent[1]]);
});

test.each(["accept", "report_only"] as const)("a quirk in the answer to a CALL of ours: %s", (mode) => {
  const { call, answer, states, sent, events } = scene({ version: "2.1", quirks: { unknown_fields: { mode } } });
  call("a", "Reset", { type: "Immediate" });
  answer('[3,"a",{"status":"Accepted","uptime":7}]');
  expect(states()).toEqual([mode === "accept" ? "a accepted" : "a error"]);
  expect(sent).toHaveLength(mode === "accept" ? 1 : 2);
  expect(events.filter(({ event }) => event === "quirk")).toEqual([
    {
      event: "quirk",
      nodeId: "node-1",
      quirk: "unknown_fields",
      mode,
      count: 1,
      detail: "Reset: uptime: unknown field",
    },
  ]);
});

test("[1.2-not-echoed] a station that repeats the secret which it was sent does not bring it into lane, row or report", () => {
  const { call, answer, stored, events, told, states } = scene();
  const payload = { key: "AuthorizationKey", value: 'hunter"2hunter2' };
  call("a", "ChangeConfiguration", payload, { secretPaths: ["value"] });
  answer(JSON.stringify([4, "a", "PropertyConstraintViolation", `bad: ${payload.value}`, { value: payload.value }]));
  call("b", "ChangeConfiguration", payload, { secretPaths: ["value"] });
  answer(JSON.stringify([3, "b", { status: "Accepted", statusInfo: payload.value }]));
  expect(states()).toEqual(["a error", "b error"]);
  expect(stored.join() + JSON.stringify(events) + JSON.stringify(told)).not.toContain("hunter");
});

// Broken once on purpose: with the open call forgotten when its connection ends (sessionClosed) it fails: "a unknown" is
// missing.
test("[I7] the connection ends: what was sent is unknown, what was not is not_connected", () => {
  const { call, outgoing, session, states, answer } = scene();
  call("a");
  call("b");
  session.open = false;
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

test("[1.4-rejected] nothing is sent to a rejected station", () => {
  const { call, sent, states } = scene({ registration: "rejected" });
  call("a", "TriggerMessage", { requestedMessage: "BootNotification" });
  expect(sent).toEqual([]);
  expect(states()).toEqual(["a not_connected"]);
});

test("[1.4-early-calls] what the station agreed to send is remembered for this connection, for a while", () => {
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

test("[F10] only 2.1 says CALLRESULTERROR to a result that breaks its schema", () => {
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

// Broken once on purpose: with the payload stored as it was sent (outgoing-calls.ts, send) it fails: the password stands
// in the lane.
test("[I12] both frames and both events go into the lane, in order, without the secret", () => {
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

test("a node that takes no more drops what is queued, and what comes; the open call may still be answered", () => {
  const { call, answer, outgoing, session, states } = scene();
  call("a");
  call("b");
  expect(outgoing.isCalled(session)).toBe(true);
  outgoing.takeNoMore();
  call("c");
  expect(states()).toEqual(["b not_connected", "c not_connected"]);
  answer('[3,"a",{"status":"Accepted"}]');
  expect(states()).toEqual(["b not_connected", "c not_connected", "a accepted"]);
  expect(outgoing.isCalled(session)).toBe(false);
});
