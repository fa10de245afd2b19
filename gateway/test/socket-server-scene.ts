import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
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

type Handlers = Partial<SocketServerDeps["life"]> &
  Partial<Pick<SocketServerDeps, "receiveFrame" | "maxWithoutRequest">>;

/** A socket server in this process that lets everybody in, whose handlers and bounds the test gives. */
export async function startSocketServerScene(handlers: Handlers) {
  const metrics = createMetrics({ version: "test", nodeId: "node-1" });
  const { receiveFrame = () => undefined, maxWithoutRequest = 100, ...life } = handlers;
  const server = await startSocketServer({
    host: "127.0.0.1",
    listeners: [{ profile: 1, port: 0 }],
    maxFrameBytes: 65_536,
    pingIntervalMs: 25_000,
    idleTimeoutMs: 75_000,
    handshakesPerSecond: 0,
    maxWithoutRequest,
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
    takePlainCall: () => false,
    receiveFrame,
    metrics,
    log,
  });
  const port = server.ports[1] ?? 0;
  const connect = (localAddress = "127.0.0.1") => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/ocpp/cs-1`, ["ocpp1.6"], { localAddress });
    const closed = new Promise<number>((resolve) => ws.once("close", resolve));
    const answered = new Promise<string>((resolve) => ws.once("message", (data: Buffer) => resolve(data.toString())));
    ws.once("open", () => ws.send("frame"));
    return { ws, closed, answered };
  };
  const faults = async () =>
    (await metrics.faults.get()).values.map(({ labels, value }) => `${String(labels.where)} ${value}`);
  return { server, port, connect, faults };
}
