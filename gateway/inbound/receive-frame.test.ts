import v8 from "node:v8";
import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { expect, test } from "vitest";
import type { OutgoingCall } from "../outbound/outgoing-calls.ts";
import { settled, startReceiver } from "../test/receiver-scene.ts";

/** A frame's bytes that can be told from all others on the heap. */
class MarkedBytes extends Uint8Array {}

/** How many of them anybody still holds, after a garbage collection. */
const heldFrames = (): number => v8.queryObjects(MarkedBytes, { format: "count" });
const marked = (text: string): MarkedBytes => new MarkedBytes(Buffer.from(text));

const ourCall = (states: string[]): OutgoingCall => ({
  commandId: "ours",
  action: "Reset",
  payload: '{"type":"Immediate"}',
  secretPaths: [],
  callTimeoutMs: 30_000,
  deadlineAtMs: 60_000,
  onSent: () => undefined,
  onOutcome: ({ state }) => states.push(state),
});

test("[C6] [F11] ten thousand answers to nothing: no reply, nothing held, and a few of them in the message log", async () => {
  const { connect, stored, metrics } = startReceiver();
  const { receive, sent, closed } = connect("2.1");
  const one = marked("held here");
  expect(heldFrames()).toBe(1);
  for (let n = 0; n < 10_000; n++) {
    const text = n % 2 === 0 ? `[3,"x${n}",{"status":"Accepted"}]` : `[4,"x${n}","GenericError","",{}]`;
    receive(text, marked(text));
  }
  await settled();
  expect([sent, closed]).toEqual([[], []]);
  expect(stored).toHaveLength(20);
  expect(stored[0]).toEqual({ text: '[3,"x0",{"status":"Accepted"}]', answer: "", flagged: true });
  expect((await metrics.unmatchedAnswers.get()).values).toMatchObject([{ value: 10_000 }]);
  expect([one.length, heldFrames()]).toEqual([9, 1]);
}, 60_000);

test("[C4] [F8] broken frames are kept for the message log: flagged, masked, cut, with what was said to them", async () => {
  const { connect, stored } = startReceiver();
  const { receive, sent } = connect("2.0.1");
  const frames = [
    "}{",
    '[2,"a","GetConfiguration"',
    '[2,"b"]',
    '[2,"c",7,{"key":"AuthorizationKey","value":"hunter2"}]',
    `[2,"d","${"é".repeat(3_000)}`,
    '[7,"e",{}]',
  ];
  for (const text of frames) receive(text);
  await settled();
  expect(stored.map(({ flagged }) => flagged)).toEqual(frames.map(() => true));
  expect(stored.map(({ answer }) => answer)).toEqual(sent);
  expect(stored.map(({ text }) => text).slice(0, 4)).toEqual([
    "}{",
    '[2,"a","GetConfiguration"',
    '[2,"b"]',
    '[2,"c",7,{"key":"AuthorizationKey","value":"***"}]',
  ]);
  const cut = stored[4]?.text ?? "";
  expect([Buffer.byteLength(cut), cut.endsWith("é")]).toEqual([2_048, true]);
});

test("[1.2-not-echoed] a late answer that tells a password does not bring it into the message log", async () => {
  const { connect, stored } = startReceiver();
  const { receive } = connect("1.6");
  receive('[3,"late",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"hunter2"}]}]');
  await settled();
  expect(stored).toHaveLength(1);
  expect(stored[0]?.text).toContain("AuthorizationKey");
  expect(stored[0]?.text).not.toContain("hunter2");
});

// Broken once on purpose: with the frame stored as it came (stored-bytes.ts, storedBytes, or read-answer.ts, judge) it fails:
// of the two one is not masked.
test("[I12] a password that a station tells with its settings is masked in the lane, in reports and in answers", async () => {
  const { connect, stored, outgoing } = startReceiver();
  const outcomes: CommandOutcome[] = [];
  const told = (name: string, value: string) => ({
    component: { name: "SecurityCtrlr" },
    variable: { name },
    variableAttribute: [{ value }],
  });
  const report = {
    requestId: 1,
    generatedAt: "2026-01-01T00:00:00Z",
    seqNo: 0,
    reportData: [told("BasicAuthPassword", "hunter2-hunter2-hunter2"), told("Identity", "cs-1")],
  };
  const modern = connect("2.0.1");
  modern.receive(JSON.stringify([2, "r", "NotifyReport", report]));
  const old = connect("1.6");
  outgoing.enqueue(old.session, {
    ...ourCall([]),
    action: "GetConfiguration",
    payload: "{}",
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  const key = { key: "AuthorizationKey", readonly: false, value: "hunter2-hunter2" };
  old.receive(JSON.stringify([3, "ours", { configurationKey: [key] }]));
  await settled();
  expect(modern.sent).toEqual(['[3,"r",{}]']);
  expect(stored.map(({ text }) => text).filter((text) => text.includes('"***"'))).toHaveLength(2);
  expect(stored[0]?.text).toContain('"value":"cs-1"');
  expect(JSON.stringify([stored, outcomes])).not.toContain("hunter2");
});

test("[D12] of a large CALL that is refused the beginning is kept", async () => {
  const { connect, stored } = startReceiver();
  const { receive } = connect("1.6");
  receive(`[2,"a","NoSuchAction",{"x":"${"é".repeat(200_000)}"}]`);
  await settled();
  expect(Buffer.byteLength(stored[0]?.text ?? "")).toBeGreaterThan(65_000);
  expect(Buffer.byteLength(stored[0]?.text ?? "")).toBeLessThanOrEqual(65_536);
  expect(stored[0]?.text).toMatch(/^\[2,"a","NoSuchAction",\{"x":"é+$/);
});

test("what was cut off a broken frame cannot become a CALL that was accepted", async () => {
  const { connect, stored } = startReceiver();
  const { receive } = connect("1.6");
  const call = (padding: number) =>
    `[2,"a","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","info":"${"x".repeat(padding)}"}]`;
  receive(`${call(2_048 - call(0).length)}]`);
  await settled();
  expect(() => JSON.parse(stored[0]?.text ?? "") as unknown).not.toThrow();
  // The intake applies what has no answer; this has one, and it is no CALLRESULT.
  expect(stored[0]).toMatchObject({ answer: "", flagged: true });
});

test("[F10] 2.1: a CALLRESULTERROR to an answer of ours is taken in, counted and kept, and never answered", async () => {
  const { connect, stored, metrics } = startReceiver();
  const { receive, sent } = connect("2.1");
  receive('[2,"a","Heartbeat",{}]');
  await settled();
  receive('[5,"a","FormatViolation","no such field",{}]');
  await settled();
  expect(sent).toHaveLength(1);
  expect(stored.at(-1)).toEqual({ text: '[5,"a","FormatViolation","no such field",{}]', answer: "", flagged: true });
  expect((await metrics.callResultErrors.get()).values).toMatchObject([{ labels: { direction: "in" }, value: 1 }]);
});

test("[F9] types 5 and 6 before 2.1: ignored by 1.6, unknown to 2.0.1, and never taken for a CALL", async () => {
  for (const version of ["1.6", "2.0.1"] as const) {
    const { connect, stored } = startReceiver();
    const { receive, sent, closed } = connect(version);
    receive('[5,"a","GenericError","",{}]');
    receive('[6,"b","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]');
    await settled();
    expect(closed).toEqual([]);
    expect(sent.map((text) => (JSON.parse(text) as unknown[]).slice(0, 3))).toEqual(
      version === "1.6"
        ? []
        : [
            [4, "a", "MessageTypeNotSupported"],
            [4, "b", "MessageTypeNotSupported"],
          ],
    );
    expect(stored.map(({ answer }) => answer)).toEqual(version === "1.6" ? ["", ""] : sent);
  }
});

const STREAM = { id: 1, pending: 0, basetime: "2026-01-01T00:00:00Z", data: [{ t: 0, v: "1" }] };
const sendOf = (id: string, payload: object = STREAM) => JSON.stringify([6, id, "NotifyPeriodicEventStream", payload]);

test("[C24] [F4] a storm of SENDs: never answered, shed above its rate, and CALLs are answered as ever", async () => {
  const { connect, stored, pass, metrics } = startReceiver();
  const { receive, sent, closed } = connect("2.1");
  for (let second = 0; second < 10; second++) {
    for (let n = 0; n < 1_000; n++) receive(sendOf(`${second}.${n}`));
    receive(`[2,"call-${second}","Heartbeat",{}]`);
    await settled();
    pass(1_000);
  }
  const sends = stored.filter(({ text }) => text.startsWith("[6,"));
  expect(sends).toHaveLength(200 + 9 * 50);
  expect(sends.some(({ flagged }) => flagged)).toBe(false);
  expect([sent.length, closed]).toEqual([10, []]);
  expect((await metrics.backpressureDrops.get()).values).toMatchObject([
    { labels: { why: "send-rate" }, value: 10_000 - 650 },
  ]);
}, 60_000);

test("[F4] a SEND that is invalid, unknown or too early is not stored as one, and stands in the message log", async () => {
  const { connect, stored } = startReceiver();
  const accepted = connect("2.1");
  accepted.receive(sendOf("a", {}));
  accepted.receive('[6,"b","Heartbeat",{}]');
  const pending = connect("2.1", { registration: "pending" });
  pending.receive(sendOf("c"));
  await settled();
  expect(stored.map(({ answer, flagged }) => [answer, flagged])).toEqual([
    ["", true],
    ["", true],
    ["", true],
  ]);
  expect([...accepted.sent, ...pending.sent]).toEqual([]);
});

// Broken once on purpose: without the ration of its lines (receive-frame.ts, warn) it fails: 55 lines for 10.
test("[I9] [D12] what one station does wrong fills neither its message log nor ours, however often it connects", async () => {
  const { connect, stored, logLines } = startReceiver();
  for (let connection = 0; connection < 50; connection++) {
    const { receive, closed } = connect("1.6");
    for (let n = 0; n < 10; n++) receive(`[2,"r${n}","NoSuchAction",{}]`);
    for (let n = 0; n < 10; n++)
      receive(`[2,"f${n}","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"","sampledValue":[]}]}]`);
    await settled();
    for (let n = 0; n < 30; n++) receive("}{");
    expect(closed).toMatchObject([{ code: 1008 }]);
  }
  const byKind = Map.groupBy(stored, ({ text }) => /[rf}]/.exec(text)?.[0]);
  // Transaction data is all kept.
  expect([...byKind].map(([kind, kept]) => [kind, kept.length])).toEqual([
    ["r", 20],
    ["f", 500],
    ["}", 20],
  ]);
  expect(logLines).toHaveLength(5 + 5);
}, 60_000);

// Broken once on purpose: with the turn not held (conversation.ts, #go) it fails: answered in the order 2, 5, 3, 1, 4;
// with a refusal that waits for nobody (answerInTurn): 3, 1, 2, 4, 5.
test("[I6] [C11] [F3] pipelined CALLs are answered in their order; past the bound the station is let go", async () => {
  const { connect } = startReceiver({
    decide: async (action) => (await settled(), { kind: "result", payload: JSON.stringify({ action }) }),
  });
  const { receive, sent, closed } = connect("1.6");
  receive('[2,"1","Authorize",{"idTag":"A"}]');
  receive('[2,"2","Heartbeat",{}]');
  receive('[2,"3","NoSuchAction",{}]');
  receive('[2,"4","StopTransaction",{"transactionId":1,"meterStop":1,"timestamp":"2026-01-01T00:00:00Z"}]');
  receive('[2,"5","Heartbeat",{}]');
  for (let turn = 0; turn < 6; turn++) await settled();
  expect(sent.map((text) => (JSON.parse(text) as string[])[1])).toEqual(["1", "2", "3", "4", "5"]);
  for (let n = 0; n < 17; n++) receive(`[2,"m${n}","Authorize",{"idTag":"A"}]`);
  expect(closed).toMatchObject([{ code: 1008 }]);
});

test("[I6] [C10] [F2] CALLs that cross are both answered: neither waits for the other", async () => {
  const { connect, outgoing } = startReceiver();
  const { session, receive, sent } = connect("2.0.1");
  const states: string[] = [];
  outgoing.enqueue(session, ourCall(states));
  receive('[2,"theirs","Heartbeat",{}]');
  await settled();
  expect(sent.map((text) => (JSON.parse(text) as unknown[]).slice(0, 2))).toEqual([
    [2, "ours"],
    [3, "theirs"],
  ]);
  receive('[3,"ours",{"status":"Accepted"}]');
  expect(states).toEqual(["accepted"]);
});

test("[I6] while a CALL of the station cannot be stored, ours goes out and is answered", async () => {
  const { connect, outgoing } = startReceiver({ stores: false });
  const { session, receive, sent } = connect("2.0.1");
  receive('[2,"theirs","Heartbeat",{}]');
  await settled();
  const states: string[] = [];
  outgoing.enqueue(session, ourCall(states));
  expect(sent.map((text) => (JSON.parse(text) as unknown[]).slice(0, 2))).toEqual([[2, "ours"]]);
  receive('[3,"ours",{"status":"Accepted"}]');
  expect(states).toEqual(["accepted"]);
});

test("[F6] a message id that comes again is another CALL: answered for what it asks", async () => {
  const { connect, stored } = startReceiver();
  const { receive, sent } = connect("1.6");
  receive('[2,"1","Heartbeat",{}]');
  receive('[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]');
  await settled();
  expect(sent).toEqual([expect.stringContaining("currentTime"), '[3,"1",{}]']);
  expect(stored).toHaveLength(2);
});

test("[C9] [1.4-early-calls] SecurityError before the boot, in Pending and in Rejected; served after a reconnect without boot", async () => {
  const { connect } = startReceiver();
  for (const version of ["1.6", "2.0.1", "2.1"] as const) {
    const answers: unknown[] = [];
    for (const registration of ["unknown", "pending", "rejected", "accepted"] as const) {
      const { receive, sent, closed } = connect(version, { registration });
      receive('[2,"a","Heartbeat",{}]');
      await settled();
      expect(closed).toEqual([]);
      answers.push((JSON.parse(sent[0] ?? "") as unknown[]).slice(0, 3)[sent[0]?.startsWith("[4") ? 2 : 0]);
    }
    expect(answers).toEqual(["SecurityError", "SecurityError", "SecurityError", 3]);
  }
});

test("[1.4-serial] [D3] a boot with another serial number than the certificate's ends the connection, without an answer", async () => {
  const certificate = {
    fingerprint: "f".repeat(64),
    commonName: "SN-1",
    organization: "Acme",
    validFrom: new Date(0),
    validTo: new Date(4e12),
    isIssuedBy: () => true,
  };
  const { connect, stored, events, attempts } = startReceiver();
  const boot = (serialNumber: string) =>
    JSON.stringify([
      2,
      "boot",
      "BootNotification",
      { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "One", serialNumber } },
    ]);
  const right = connect("2.0.1", { registration: "unknown" }, certificate);
  right.receive(boot("SN-1"));
  await settled();
  expect([right.sent.length, right.closed, stored.length]).toEqual([1, [], 1]);

  const wrong = connect("2.0.1", { registration: "unknown" }, certificate);
  wrong.receive(boot("SN-2"));
  wrong.receive('[2,"next","Heartbeat",{}]');
  await settled();
  expect([wrong.sent, wrong.closed]).toEqual([[], [{ code: 1008, reason: "serial number is not the certificate's" }]]);
  expect(stored).toHaveLength(1);
  expect(attempts).toEqual(["serial_number_mismatch"]);
  expect(events).toEqual([
    {
      event: "securityEvent",
      nodeId: "node-1",
      type: "InvalidChargingStationCertificate",
      techInfo: 'BootNotification tells the serial number "SN-2", the certificate "SN-1"',
    },
  ]);
});

test("[D12] [C19] names that a station makes up become no labels of metrics", async () => {
  const { connect, metrics, pass } = startReceiver();
  const { receive, sent } = connect("2.1");
  for (let n = 0; n < 300; n++) {
    receive(`[2,"a${n}","Action${n}",{}]`);
    receive(`[6,"b${n}","Send${n}",{}]`);
    receive(`[4,"c${n}","Code${n}","",{}]`);
    receive(`[5,"d${n}","Code${n}","",{}]`);
    await settled();
    pass(1_000);
  }
  receive('[2,"e","__proto__",{}]');
  await settled();
  expect(sent).toHaveLength(301);
  const text = await metrics.registry.metrics();
  expect(text).toContain('type="call",action="unknown"');
  expect(text).not.toMatch(/Action\d|Send\d|Code\d|cs-1|__proto__/);
});
