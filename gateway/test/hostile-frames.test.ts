import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectStation, type Connection } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

const PROTOCOL = { "1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1" } as const;

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway();
});
afterAll(() => world.close());

/** A connection, and every frame that came on it. */
async function connected(version: keyof typeof PROTOCOL, record: Parameters<World["register"]>[0] = {}) {
  const station: RegisteredStation = await world.register(record);
  const connection: Connection = await connectStation(gateway.url, station, { protocols: [PROTOCOL[version]] });
  const frames: unknown[][] = [];
  connection.ws.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as unknown[]));
  let beats = 0;
  /** All that was sent before is dealt with when this is answered: CALLs are answered in order. */
  const beat = () => connection.call(`beat-${++beats}`, "Heartbeat", {});
  return { ...connection, station, frames, beat };
}

const ids = (frames: unknown[][]) =>
  frames.map(([type, id, code]) => (type === 4 ? `${String(id)}:${String(code)}` : id));

describe.each([
  ["1.6", ["e:FormationViolation", "f:NotImplemented", "g:NotImplemented", "h:OccurenceConstraintViolation"]],
  [
    "2.0.1",
    [
      "-1:RpcFrameworkError",
      "-1:RpcFrameworkError",
      "-1:RpcFrameworkError",
      "d:MessageTypeNotSupported",
      "e:RpcFrameworkError",
      "f:NotImplemented",
      "g:NotImplemented",
      "h:OccurrenceConstraintViolation",
      "k:MessageTypeNotSupported",
    ],
  ],
  [
    "2.1",
    [
      "-1:RpcFrameworkError",
      "-1:RpcFrameworkError",
      "-1:RpcFrameworkError",
      "e:RpcFrameworkError",
      "f:NotImplemented",
      "g:NotImplemented",
      "h:OccurrenceConstraintViolation",
    ],
  ],
] as const)("%s", (version, answers) => {
  test("[C4] [C5] [C7] [F8] [F9] [1.3-codes] [1.3-not-implemented] [H6] each kind of nonsense has its answer, or none, and the connection lives on", async () => {
    const { ws, frames, beat } = await connected(version);
    const nonsense = [
      "}{",
      "{}",
      `[2,"${"x".repeat(37)}","Heartbeat",{}]`,
      '[7,"d","Heartbeat",{}]',
      '[2,"e"]',
      '[2,"f","__proto__",{}]',
      '[2,"g","heartbeat",{}]',
      '[2,"h","StatusNotification",{}]',
      '[3,"i",{}]',
      '[4,"j","GenericError","",{}]',
      '[5,"k","GenericError","",{}]',
      "[3]",
    ];
    for (const text of nonsense) ws.send(text);
    expect((await beat())[0]).toBe(3);
    expect(ids(frames)).toEqual([...answers, "beat-1"]);
  });

  test("[C4] [1.5-close-codes] more than twenty broken frames in a minute close the connection with 1008, and nobody else's", async () => {
    const [bad, good] = [await connected(version), await connected(version)];
    for (let i = 0; i < 21; i++) bad.ws.send("}{");
    expect((await bad.closed).code).toBe(1008);
    expect((await good.beat())[0]).toBe(3);
  });
});

test("[C20] a binary frame closes with 1003, text that is not UTF-8 with 1007", async () => {
  const [one, other] = [await connected("1.6"), await connected("1.6")];
  one.ws.send(Buffer.from('[2,"a","Heartbeat",{}]'), { binary: true });
  expect((await one.closed).code).toBe(1003);
  other.ws.send(Buffer.from([0x5b, 0xff, 0xfe, 0x5d]), { binary: false });
  // The WebSocket server may see it first, and then has no close code to say so.
  expect([1006, 1007]).toContain((await other.closed).code);
});

test("[C18] [C19] [C20] deep, large and odd payloads cost their sender an error, and nobody else anything", async () => {
  const [bad, good] = [await connected("1.6"), await connected("1.6")];
  const send = (id: string, payload: string) => bad.ws.send(`[2,"${id}","StatusNotification",${payload}]`);
  const valid = (info: string) => `{"connectorId":1,"errorCode":"NoError","status":"Available","info":${info}}`;
  send("deep", `{"info":${"[".repeat(10_000)}${"]".repeat(10_000)}}`);
  send("wide", `{${Array.from({ length: 20_000 }, (_, n) => `"k${n}":1`).join()}}`);
  send("long", valid(`"${"x".repeat(500_000)}"`));
  send("polluting", '{"__proto__":{"connectorId":1},"constructor":{}}');
  send("huge number", valid('"a"').replace("1,", "1e400,"));
  send("zero", valid('"\\u0000\\ud800"'));
  expect((await good.beat())[0]).toBe(3);
  expect((await bad.beat())[0]).toBe(3);
  expect(bad.frames.map(([type, id]) => `${String(type)} ${String(id)}`)).toEqual([
    "4 deep",
    "4 wide",
    "4 long",
    "4 polluting",
    "4 huge number",
    "3 zero",
    "3 beat-1",
  ]);
});

test("[F3] [C11] CALLs that do not wait are answered in their order, decisions and refusals among them", async () => {
  const { ws, frames, beat } = await connected("1.6");
  ws.send('[2,"a","Heartbeat",{}]');
  ws.send('[2,"b","Authorize",{"idTag":"A"}]');
  ws.send('[2,"c","Nonsense",{}]');
  ws.send('[2,"d","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]');
  ws.send('[2,"e","StatusNotification",{}]');
  await beat();
  expect(ids(frames)).toEqual(["a", "b", "c:NotImplemented", "d", "e:OccurenceConstraintViolation", "beat-1"]);
});

test("what needs a decision is closed with 1009 over 128 KiB; transaction data and reports are not", async () => {
  const data = "x".repeat(200_000);
  const { ws, closed } = await connected("1.6");
  ws.send(JSON.stringify([2, "a", "DataTransfer", { vendorId: "Acme", data }]));
  expect((await closed).code).toBe(1009);

  const { call } = await connected("1.6");
  const sampledValue = Array.from({ length: 3_000 }, (_, i) => ({
    value: String(i),
    measurand: "Energy.Active.Import.Register",
  }));
  const transactionData = [{ timestamp: "2026-01-01T00:00:00Z", sampledValue }];
  const stop = { transactionId: 1, meterStop: 1, timestamp: "2026-01-01T00:00:00Z", transactionData };
  expect(JSON.stringify(stop).length).toBeGreaterThan(128 * 1024);
  expect((await call("b", "StopTransaction", stop))[0]).toBe(3);
});

test("[F3] [C11] [1.5-close-codes] a station that never waits is let go with 1008", async () => {
  const { ws, closed } = await connected("1.6");
  for (let n = 0; n < 100; n++) ws.send(`[2,"${n}","Authorize",{"idTag":"A"}]`);
  expect((await closed).code).toBe(1008);
});

test("[C9] [1.4-early-calls] [1.4-identity] before its registration a station may boot, and nothing else; after it, on every connection, everything", async () => {
  const fresh = await connected("2.0.1", { record: { registration: "unknown" } });
  expect((await fresh.call("a", "Heartbeat", {})).slice(0, 3)).toEqual([4, "a", "SecurityError"]);
  const boot = { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "One" } };
  expect((await fresh.call("b", "BootNotification", boot))[2]).toMatchObject({ status: "Accepted" });
  expect((await fresh.call("c", "Heartbeat", {}))[0]).toBe(3);

  const known = await connected("2.0.1", { record: { registration: "accepted" } });
  expect((await known.call("a", "Heartbeat", {}))[0]).toBe(3);
});

test("[1.6-flagged] transaction data against its schema is stored, flagged and answered; a status against its schema is refused, and kept with its refusal", async () => {
  const { call, station } = await connected("1.6");
  const meterValues = { connectorId: 1, meterValue: [{ timestamp: "yesterday", sampledValue: [] }] };
  expect(await call("a", "MeterValues", meterValues)).toEqual([3, "a", {}]);
  expect(
    (
      await call("b", "StartTransaction", {
        connectorId: 1,
        idTag: "longer than twenty characters",
        meterStart: 1,
        timestamp: "2026-01-01T00:00:00Z",
      })
    )[0],
  ).toBe(3);
  expect((await call("c", "MeterValues", { connectorId: 1 }))[0]).toBe(4);
  expect((await call("d", "StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Fine" }))[0]).toBe(4);
  expect((await call("e", "NoSuchAction", {})).slice(0, 3)).toEqual([4, "e", "NotImplemented"]);
  const inbound = async () => (await world.stored(station.identity)).filter(({ kind }) => kind === "inbound");
  await until("the last is in the lane", async () => (await inbound()).length === 5);
  expect(
    (await inbound()).map(({ text, flagged, answer }) => [
      (JSON.parse(text) as string[])[1],
      flagged,
      answer === undefined ? undefined : (JSON.parse(answer) as unknown[]).slice(0, 2),
    ]),
  ).toEqual([
    ["a", true, undefined],
    ["b", true, [3, "b"]],
    ["c", true, [4, "c"]],
    ["d", true, [4, "d"]],
    ["e", false, [4, "e"]],
  ]);
});

test("[D12] [1.6-flagged] flagged data without end is all stored, and fills no log", async () => {
  const { call, closed, station, ws } = await connected("1.6");
  const meterValues = { connectorId: 1, meterValue: [{ timestamp: "yesterday", sampledValue: [] }] };
  for (let n = 0; n < 15; n++) expect(await call(`m${n}`, "MeterValues", meterValues)).toEqual([3, `m${n}`, {}]);
  ws.close(1001);
  await closed;
  const lines = () => gateway.log.filter((line) => line["station"] === station.identity).map(({ msg }) => msg);
  await until("its last line", () => lines().includes("station disconnected"));
  expect(lines().filter((msg) => msg.startsWith("transaction data against its schema"))).toHaveLength(5);
  const flagged = (await world.stored(station.identity)).filter((frame) => frame.flagged);
  expect(flagged).toHaveLength(15);
});

test("[D12] [F13] refused CALLs without end are all answered, and no more of them kept than help", async () => {
  const { call, station, beat } = await connected("1.6");
  for (let n = 0; n < 30; n++) expect((await call(`r${n}`, "NoSuchAction", {}))[0]).toBe(4);
  await beat();
  const refused = (await world.stored(station.identity)).filter(({ answer }) => answer?.startsWith("[4,"));
  expect(refused.map(({ text }) => (JSON.parse(text) as string[])[1])).toEqual(
    Array.from({ length: 20 }, (_, n) => `r${n}`),
  );
});

test("[F4] [C24] 2.1: a SEND is stored and never answered, valid or not", async () => {
  const { ws, frames, beat, station } = await connected("2.1");
  const stream = { id: 1, pending: 0, basetime: "2026-01-01T00:00:00Z", data: [{ t: 0, v: "1.10" }] };
  ws.send(JSON.stringify([6, "a", "NotifyPeriodicEventStream", stream]));
  ws.send(JSON.stringify([6, "b", "NotifyPeriodicEventStream", {}]));
  ws.send(JSON.stringify([6, "c", "Heartbeat", {}]));
  await beat();
  expect(ids(frames)).toEqual(["beat-1"]);
  await until("stored", async () =>
    (await world.stored(station.identity)).some(({ text }) => text.startsWith('[6,"a"')),
  );
  // The message log has the bad ones too, marked as refused: nothing is made of them.
  const sends = (await world.stored(station.identity)).filter(({ text }) => text.startsWith("[6,"));
  expect(sends.map(({ text, flagged, answer }) => [text.slice(0, 6), flagged, answer])).toEqual([
    ['[6,"a"', false, undefined],
    ['[6,"b"', true, ""],
    ['[6,"c"', true, ""],
  ]);
});

test("[C23] [1.2-not-echoed] frames are stored as they came, blanks, numbers and all; a password among settings is not", async () => {
  const { ws, call, station, beat } = await connected("2.0.1");
  const odd =
    ' [2 , "a", "MeterValues", {"evseId":1,"meterValue":[{"timestamp":"2026-01-01T00:00:00Z","sampledValue":[{"value":9007199254740993.10}]}]}]';
  ws.send(odd);
  await call("b", "NotifyReport", {
    requestId: 1,
    generatedAt: "2026-01-01T00:00:00Z",
    seqNo: 0,
    reportData: [
      {
        component: { name: "SecurityCtrlr" },
        variable: { name: "BasicAuthPassword" },
        variableAttribute: [{ value: "hunter2" }],
      },
    ],
  });
  // Refused ones are kept too, and may name a setting anywhere.
  expect((await call("c", "NoSuchAction", { settings: [{ key: "AuthorizationKey", value: "hunter2" }] }))[0]).toBe(4);
  await beat();
  const texts = (await world.stored(station.identity)).map(({ text }) => text);
  expect(texts).toContain(odd);
  expect(texts.join()).toContain("AuthorizationKey");
  expect(texts.join()).toContain("BasicAuthPassword");
  expect(texts.join()).not.toContain("hunter2");
});

test("[1.3-not-implemented] [C7] an action that is known and has nobody who decides it, or that only the CSMS sends, is NotSupported; one of another case is NotImplemented", async () => {
  for (const version of ["1.6", "2.0.1", "2.1"] as const) {
    const { call } = await connected(version);
    expect((await call("a", "SignCertificate", { csr: "x" })).slice(0, 3)).toEqual([4, "a", "NotSupported"]);
    expect((await call("b", "signCertificate", { csr: "x" })).slice(0, 3)).toEqual([4, "b", "NotImplemented"]);
    expect((await call("c", "Reset", {})).slice(0, 3)).toEqual([4, "c", "NotSupported"]);
  }
});

test("[C22] whatever the clock of a station says, its transactions are stored and answered", async () => {
  const { call, station } = await connected("1.6");
  const timestamps = [
    "2026-01-31T12:00:00",
    "2026-01-31T12:00:00+05:30",
    "2026-01-31T12:00:00.123456789Z",
    "1970-01-01T00:00:00Z",
    "2099-12-31T23:59:59Z",
    "2028-02-29T12:00:00Z",
    "2027-02-29T12:00:00Z",
    "0000-00-00 00:00",
  ];
  for (const [n, timestamp] of timestamps.entries())
    expect((await call(`s${n}`, "StopTransaction", { transactionId: 1, meterStop: n, timestamp }))[0]).toBe(3);
  const stops = (await world.stored(station.identity)).filter(({ text }) => text.includes("StopTransaction"));
  expect(stops.map(({ text, flagged }) => [JSON.parse(text)[3].timestamp, flagged])).toEqual(
    timestamps.map((timestamp, n) => [timestamp, [0, 6, 7].includes(n)]),
  );
});

test("a quirk that is in force is forgiven over the wire: stored and decided on as it came, not flagged, and told", async () => {
  const quirks = { unknown_fields: { mode: "accept" }, odd_timestamps: { mode: "report_only" } } as const;
  const { call, beat, station } = await connected("1.6", { record: { quirks } });
  const status = { connectorId: 1, errorCode: "NoError", status: "Available", uptime: 1 };
  expect(await call("a", "StatusNotification", status)).toEqual([3, "a", {}]);
  expect((await call("b", "Authorize", { idTag: "A", reader: 2 }))[0]).toBe(3);
  expect((await call("c", "StatusNotification", { ...status, timestamp: "" })).slice(0, 2)).toEqual([4, "c"]);
  await beat();
  const stored = await world.stored(station.identity);
  expect(
    stored.filter(({ kind }) => kind === "inbound").map(({ text, flagged }) => [text.slice(0, 6), flagged]),
  ).toEqual([
    ['[2,"a"', false],
    ['[2,"b"', false],
    ['[2,"c"', true],
    ['[2,"be', false],
  ]);
  expect(stored.find(({ text }) => text.startsWith('[2,"a"'))?.text).toContain('"uptime":1');
  expect(world.decisions.calls.find(({ identity }) => identity === station.identity)?.payload).toBe(
    '{"idTag":"A","reader":2}',
  );
  const events = stored.filter(({ kind }) => kind === "event").map(({ text }) => JSON.parse(text) as { event: string });
  expect(events.filter(({ event }) => event === "quirk")).toMatchObject([
    { quirk: "unknown_fields", mode: "accept", count: 1 },
    { quirk: "odd_timestamps", mode: "report_only", count: 1 },
  ]);
});

test("[D11] texts of a station make one line each in our log, and say nothing to who reads it", async () => {
  const { ws, call, closed, station } = await connected("2.1");
  const evil = '\r\n{"level":60,"msg":"forged"}\u001b[31m${jndi:ldap://x}<script>=HYPERLINK()';
  ws.send(JSON.stringify([5, "a", evil, evil, { evil }]));
  ws.send(JSON.stringify([2, evil.slice(0, 36), evil, { evil }]));
  expect((await call("b", "Authorize", { idToken: { idToken: evil.slice(0, 36), type: evil } }))[0]).toBe(4);
  ws.close(1000, evil);
  await closed;
  const lines = () => gateway.log.filter((line) => line["station"] === station.identity);
  await until("its last line", () => lines().some(({ msg }) => msg === "station disconnected"));
  expect(lines().map(({ msg }) => msg)).toContain("station refuses an answer of ours");
  // Each line that the process wrote was JSON; a forged one would stand here by itself.
  expect(gateway.log.filter(({ msg }) => msg === "forged")).toEqual([]);
});
