import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { eventually } from "../e2e/eventually.ts";
import type { Fleet, LedgerLine } from "../faults/contract.ts";
import type { FleetSettings } from "../faults/fleet/settings.ts";
import { startFleet } from "../faults/fleet/start-fleet.ts";
import { LedgerReader } from "../faults/judge/read-ledgers.ts";

interface Call {
  station: string;
  /** Of all, from 1. */
  connection: number;
  messageId: string;
  action: string;
  payload: Record<string, unknown>;
  atMs: number;
}

type Answer = Record<string, unknown> | "CALLERROR" | "silence" | "break";

interface Csms {
  url: string;
  calls: Call[];
  /** What stations answered to our CALLs. */
  answers: unknown[][];
  connections: { station: string; socket: WebSocket; atMs: number; remoteAddress: string }[];
  /** How the next handshakes are answered; undefined: they succeed. */
  refuse: { status: number; retryAfter?: string } | undefined;
}

const opened: { server: Server; fleet?: Fleet; folder?: string }[] = [];

afterEach(async () => {
  for (const { server, fleet, folder } of opened.splice(0)) {
    await fleet?.close();
    server.closeAllConnections();
    server.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
});

const plain = ({ action }: Pick<Call, "action">): Record<string, unknown> => {
  const status = "Accepted";
  if (action === "BootNotification") return { status, interval: 300, currentTime: new Date().toISOString() };
  if (action === "StartTransaction") return { transactionId: 4_711, idTagInfo: { status } };
  if (action === "Authorize") return { idTagInfo: { status } };
  return action === "Heartbeat" ? { currentTime: new Date().toISOString() } : {};
};

/** A CSMS that answers as it is told, and one process of stations that connect to it. */
async function scene(start: {
  answer?: (call: Call, csms: Csms) => Answer;
  stations?: ("1.6" | "2.0.1" | "2.1")[];
  settings?: Partial<FleetSettings>;
}) {
  const { answer = plain, stations = ["1.6"], settings = {} } = start;
  const server = createServer();
  const csms: Csms = { url: "", calls: [], answers: [], connections: [], refuse: undefined };
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: ([first]) => first ?? false });
  server.on("upgrade", (request, socket, head) => {
    if (csms.refuse !== undefined) {
      const { status, retryAfter } = csms.refuse;
      csms.refuse = undefined;
      socket.end(
        `HTTP/1.1 ${status} No\r\nRetry-After: ${retryAfter}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (connected) => {
      const station = String(request.url?.split("/").at(-1));
      const remoteAddress = String(request.socket.remoteAddress);
      const connection = csms.connections.push({ station, socket: connected, atMs: performance.now(), remoteAddress });
      connected.on("error", () => {});
      connected.on("message", (data) => {
        const [type, messageId, action, payload] = JSON.parse(String(data)) as [
          number,
          string,
          string,
          Call["payload"],
        ];
        if (type !== 2) return void csms.answers.push([type, messageId, action, payload]);
        const call = { station, connection, messageId, action, payload, atMs: performance.now() };
        csms.calls.push(call);
        const said = answer(call, csms);
        if (said === "break") connected.terminate();
        else if (said === "CALLERROR") connected.send(JSON.stringify([4, messageId, "InternalError", "", {}]));
        else if (said !== "silence") connected.send(JSON.stringify([3, messageId, said]));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  csms.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-fleet-"));
  const remains: (typeof opened)[number] = { server, folder };
  opened.push(remains);
  const fleet = await startFleet({
    stations: stations.map((version, at) => ({ identity: `CP-${at}`, password: "a-password-of-20-chars", version })),
    origins: [{ name: "only", url: csms.url }],
    processes: 1,
    ledgerFolder: folder,
    settings: {
      retryBackOffWaitMinimumMs: 20,
      retryBackOffRandomRangeMs: 20,
      retryBackOffRepeatTimes: 1,
      transactionMessageRetryIntervalMs: 50,
      ...settings,
    },
  });
  remains.fleet = fleet;
  const reader = new LedgerReader();
  reader.add(fleet.ledgers);
  const lines: LedgerLine[] = [];
  return {
    csms,
    fleet,
    ledger: async () => {
      await fleet.flush();
      lines.push(...reader.lines());
      return lines;
    },
    of: (action: string) => csms.calls.filter((call) => call.action === action),
  };
}

test("a station that is told to wait boots again after the interval, and says nothing else before it is accepted", async () => {
  let boots = 0;
  const { csms, fleet, of } = await scene({
    answer: (call) =>
      call.action === "BootNotification" && (boots += 1) < 3
        ? { status: boots === 1 ? "Pending" : "Rejected", interval: 1, currentTime: new Date().toISOString() }
        : plain(call),
  });
  await fleet.pace(50);
  await fleet.connect(0);
  await eventually("transactions run", () => of("StartTransaction").length > 0);
  const actions = csms.calls.map(({ action }) => action);
  expect(actions.slice(0, 5)).toEqual([
    ...Array<string>(3).fill("BootNotification"),
    "StatusNotification",
    "StatusNotification",
  ]);
  const [first, second] = of("BootNotification");
  expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1_000);
});

test("a message of a transaction is repeated until it is answered, under the same key; every second station changes its id", async () => {
  const starts = new Map<string, number>();
  const { fleet, of, ledger } = await scene({
    stations: ["1.6", "1.6"],
    settings: { answerTimeoutMs: 1_000 },
    answer: (call) => {
      if (call.action !== "StartTransaction") return plain(call);
      const times = (starts.get(call.station) ?? 0) + 1;
      starts.set(call.station, times);
      return times === 1 ? "silence" : times === 2 ? "break" : plain(call);
    },
  });
  await fleet.pace(50);
  await fleet.connect(0);
  await eventually(
    "both stop a transaction",
    () => new Set(of("StopTransaction").map(({ station }) => station)).size === 2,
  );
  for (const [station, ids] of [
    ["CP-0", 1],
    ["CP-1", 3],
  ] as const) {
    const told = of("StartTransaction").filter((call) => call.station === station);
    const first = told.filter(({ payload }) => payload["timestamp"] === told[0]?.payload["timestamp"]);
    expect(first).toHaveLength(3);
    expect(new Set(first.map(({ messageId }) => messageId)).size).toBe(ids);
    expect(new Set(first.map(({ connection }) => connection)).size).toBe(3);
    const keys = (await ledger()).flatMap((line) =>
      line[0] === "sent" && line[2] === station && line[5] === "StartTransaction" ? [line[6]] : [],
    );
    expect(new Set(keys.slice(0, 3))).toEqual(
      new Set([`start:${first[0]?.payload["connectorId"]}:${first[0]?.payload["timestamp"]}`]),
    );
  }
  // What follows knows the transaction's id by then; it was never sent without.
  for (const { payload } of [...of("MeterValues"), ...of("StopTransaction")])
    expect(payload["transactionId"]).toBe(4_711);
  expect((await fleet.stats()).closes).toMatchObject({ unanswered: 2, "1006": 2 });
});

test("a refused message of a transaction is tried again a few times, then given up with what depends on it", async () => {
  const { fleet, of, ledger } = await scene({
    answer: (call) => (call.action === "StartTransaction" ? "CALLERROR" : plain(call)),
    settings: { connectors: 1 },
  });
  await fleet.pace(50);
  await fleet.connect(0);
  await eventually("the next transaction starts", () => of("StartTransaction").length > 3);
  const [first, second, third, fourth] = of("StartTransaction");
  expect([second?.messageId, third?.messageId]).toEqual([first?.messageId, first?.messageId]);
  expect(fourth?.payload["timestamp"]).not.toBe(first?.payload["timestamp"]);
  const gap = (a: Call | undefined, b: Call | undefined) => (b?.atMs ?? 0) - (a?.atMs ?? 0);
  expect(gap(first, second)).toBeGreaterThanOrEqual(50);
  expect(gap(second, third)).toBeGreaterThanOrEqual(100);
  expect([...of("MeterValues"), ...of("StopTransaction")]).toEqual([]);
  const lines = await ledger();
  const about = lines.filter((line) => line.includes(first?.messageId as never)).map(([kind]) => kind);
  expect(about).toEqual(["sent", "failed", "sent", "failed", "sent", "failed", "dropped"]);
});

test("without a connection transactions go on; afterwards the events come in order and say so, and statuses as they are then", async () => {
  const { csms, fleet, of, ledger } = await scene({
    stations: ["2.0.1"],
    settings: { retryBackOffWaitMinimumMs: 1_500 },
  });
  await fleet.pace(40);
  await fleet.connect(0);
  await eventually("a transaction runs", () => of("TransactionEvent").length > 3);
  csms.connections[0]?.socket.terminate();
  await eventually("it is back", () => csms.connections.length === 2);
  await eventually("what it kept has come", () => csms.calls.filter(({ connection }) => connection === 2).length > 12);
  await fleet.pace(0);
  expect(await fleet.settled(10_000)).toBe(true);
  const events = of("TransactionEvent");
  const offline = events.filter(({ payload }) => payload["offline"] === true);
  expect(offline).toHaveLength(8);
  expect(new Set(offline.map(({ connection }) => connection))).toEqual(new Set([2]));
  const timestamps = events.map(({ payload }) => String(payload["timestamp"]));
  expect(timestamps).toEqual(timestamps.toSorted());
  expect(of("BootNotification")).toHaveLength(1);
  expect((await ledger()).filter(([kind]) => kind === "stray" || kind === "failed")).toEqual([]);
});

test("a status that was not answered before the connection broke is given up, and the status of then is told", async () => {
  let broken = false;
  const { fleet, of, ledger } = await scene({
    answer: (call) => {
      if (call.action !== "StatusNotification" || broken) return plain(call);
      broken = true;
      return "break";
    },
  });
  await fleet.connect(0);
  await eventually("it is settled", async () => broken && (await fleet.settled(0)));
  const [lost, ...told] = of("StatusNotification");
  expect(told.map(({ payload }) => payload["connectorId"])).toEqual([1, 2]);
  expect(told[0]?.messageId).not.toBe(lost?.messageId);
  expect(String(told[0]?.payload["timestamp"]) > String(lost?.payload["timestamp"])).toBe(true);
  expect((await ledger()).flatMap((line) => (line[0] === "dropped" ? [line[3]] : []))).toEqual([lost?.messageId]);
});

test("a Retry-After that is longer than the back-off is heeded", async () => {
  const { csms, fleet } = await scene({});
  csms.refuse = { status: 503, retryAfter: "2" };
  const startedAtMs = performance.now();
  await fleet.connect(0);
  await eventually("it is in", () => csms.connections.length === 1);
  expect((csms.connections[0]?.atMs ?? 0) - startedAtMs).toBeGreaterThanOrEqual(2_000);
  expect((await fleet.stats()).refusals).toEqual({ "503": 1 });
});

test("commands are answered while a CALL of the station is open, and are in the ledger with their answers", async () => {
  const { csms, fleet, of, ledger } = await scene({
    answer: (call) => (call.action === "Heartbeat" ? "silence" : plain(call)),
  });
  await fleet.connect(0);
  await eventually("it is settled", () => fleet.settled(0));
  const send = (id: string, action: string, payload: object) =>
    csms.connections[0]?.socket.send(JSON.stringify([2, id, action, payload]));
  send("c1", "TriggerMessage", { requestedMessage: "Heartbeat" });
  await eventually("the heartbeat is open", () => of("Heartbeat").length === 1);
  send("c2", "GetConfiguration", { key: ["HeartbeatInterval"] });
  send("c3", "SendLocalList", { listVersion: 1, updateType: "Full" });
  await eventually("all are answered", () => csms.answers.length === 3);
  for (const text of [JSON.stringify([3, "nobody's", {}]), "{", "[]"]) csms.connections[0]?.socket.send(text);
  await eventually(
    "the strays are noticed",
    async () => (await ledger()).filter(([kind]) => kind === "stray").length === 3,
  );
  expect(new Map(csms.answers.map(([type, id, third]) => [id, [type, third]]))).toEqual(
    new Map<unknown, unknown>([
      ["c1", [3, { status: "Accepted" }]],
      ["c2", [3, { configurationKey: [{ key: "HeartbeatInterval", readonly: false, value: "300" }] }]],
      ["c3", [4, "NotImplemented"]],
    ]),
  );
  const commands = (await ledger()).flatMap((line) => (line[0] === "command" ? [[line[4], line[5], line[6]]] : []));
  expect(commands.find(([id]) => id === "c3")).toEqual(["c3", "SendLocalList", { error: "NotImplemented" }]);
  expect(commands).toHaveLength(3);
});

test("a slow reader reads nothing until it is told to, and goes on where it was", async () => {
  const { csms, fleet, ledger } = await scene({ stations: ["1.6", "1.6"] });
  await fleet.connect(0);
  await eventually("all are settled", () => fleet.settled(0));
  await fleet.stopReading(1);
  for (const { socket, station } of csms.connections)
    socket.send(JSON.stringify([2, `to-${station}`, "ClearCache", {}]));
  await eventually("the other answers", () => csms.answers.length === 1);
  expect(csms.answers[0]?.[1]).toBe("to-CP-1");
  await fleet.stopReading(0);
  await eventually("both answer", () => csms.answers.length === 2);
  expect((await ledger()).filter(([kind]) => kind === "closed")).toEqual([]);
});

test("stations come from many addresses, or from one", async () => {
  const many = await scene({ stations: ["1.6", "2.0.1", "2.1"] });
  await many.fleet.connect(0);
  await eventually("all are in", () => many.csms.connections.length === 3);
  expect(new Set(many.csms.connections.map(({ remoteAddress }) => remoteAddress)).size).toBe(3);
  const one = await scene({ stations: ["1.6", "2.0.1", "2.1"], settings: { sourceAddresses: 1 } });
  await one.fleet.connect(0);
  await eventually("all are in", () => one.csms.connections.length === 3);
  expect(new Set(one.csms.connections.map(({ remoteAddress }) => remoteAddress)).size).toBe(1);
});

test("a station that reboots ends its transaction, and boots again", async () => {
  const { csms, fleet, of } = await scene({ settings: { rebootOnReset: true } });
  await fleet.pace(30);
  await fleet.connect(0);
  await eventually("a transaction runs", () => of("MeterValues").length > 0);
  await fleet.pace(0);
  csms.connections[0]?.socket.send(JSON.stringify([2, "r", "Reset", { type: "Soft" }]));
  await eventually("it is back and settled", async () => csms.connections.length === 2 && (await fleet.settled(0)));
  const after = csms.calls
    .filter(({ connection }) => connection === 2)
    .map(({ action, payload }) => [action, payload["reason"]]);
  expect(after[0]).toEqual(["BootNotification", undefined]);
  expect(after).toContainEqual(["StopTransaction", "SoftReset"]);
  expect(csms.answers).toEqual([[3, "r", { status: "Accepted" }, undefined]]);
});
