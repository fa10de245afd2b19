import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { createMetrics } from "../metrics.ts";
import type { Entrant } from "../sockets/connection-life.ts";
import { parseTrustedProxies } from "../sockets/remote-address.ts";
import { startSocketServer, type SocketServerDeps } from "../sockets/server.ts";
import { Session } from "../sockets/session.ts";

const log = pino({ level: "silent" });
const entrant = {
  identity: "cs-1" as StationIdentity,
  record: {} as StationRecord,
  subprotocol: { version: "1.6", token: "ocpp1.6" },
  notes: [],
  quirks: [],
  handshake: { path: "", subprotocols: "", listener: 1 },
  takeover: { epoch: 1, former: { node: "", epoch: 0 } },
  remoteAddress: "",
} satisfies Entrant;

/** A socket server that lets everybody in, whose handlers the test gives. */
async function scene(handlers: Partial<SocketServerDeps["life"]> & Partial<Pick<SocketServerDeps, "receiveFrame">>) {
  const metrics = createMetrics({ version: "test", nodeId: "node-1" });
  const { receiveFrame = () => undefined, ...life } = handlers;
  const server = await startSocketServer({
    host: "127.0.0.1",
    listeners: [{ profile: 1, port: 0 }],
    maxFrameBytes: 65_536,
    pingIntervalMs: 25_000,
    idleTimeoutMs: 75_000,
    unsupportedSubprotocol: "reject",
    trustedProxies: parseTrustedProxies(""),
    life: {
      enter: async () => ({ ok: true, value: entrant }),
      abandon: () => undefined,
      open: (_entrant, socket) => new Session({ ...entrant, version: "1.6", epoch: 1 }, socket, log),
      end: () => undefined,
      ...life,
    },
    attempts: { refused: () => undefined, withoutRequest: () => undefined },
    receiveFrame,
    metrics,
    log,
  });
  const connect = () => {
    const ws = new WebSocket(`ws://127.0.0.1:${server.ports[1]}/ocpp/cs-1`, ["ocpp1.6"]);
    const closed = new Promise<number>((resolve) => ws.once("close", resolve));
    const answered = new Promise<string>((resolve) => ws.once("message", (data: Buffer) => resolve(data.toString())));
    ws.once("open", () => ws.send("frame"));
    return { ws, closed, answered };
  };
  const faults = async () =>
    (await metrics.faults.get()).values.map(({ labels, value }) => `${String(labels.where)} ${value}`);
  return { server, connect, faults };
}

const thrown = () => {
  throw new Error("thrown on purpose");
};

test("a fault while a frame is handled ends that connection alone", async () => {
  let frames = 0;
  const { server, connect, faults } = await scene({
    receiveFrame: (session) => (++frames === 1 ? thrown() : session.send("answer")),
  });
  expect(await connect().closed).toBe(1011);
  const other = connect();
  expect(await other.answered).toBe("answer");
  expect(await faults()).toEqual(["message 1"]);
  other.ws.terminate();
  server.close();
});

test("a fault while a connection is opened ends it", async () => {
  const { server, connect, faults } = await scene({ open: thrown });
  expect(await connect().closed).toBe(1011);
  expect(await faults()).toEqual(["open 1"]);
  server.close();
});

test("a fault while a connection ends does not end the process", async () => {
  const { server, connect, faults } = await scene({
    end: thrown,
    receiveFrame: (session) => session.close(1013, "enough"),
  });
  expect(await connect().closed).toBe(1013);
  expect(await connect().closed).toBe(1013);
  expect((await faults())[0]).toMatch(/^(message|close) /);
  server.close();
});
