import { once } from "node:events";
import { request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { text as textOf } from "node:stream/consumers";
import { WebSocket } from "ws";
import type { RegisteredStation } from "./world.ts";

export const basicAuth = (user: string, password: Buffer): string =>
  `Basic ${Buffer.concat([Buffer.from(`${user}:`), password]).toString("base64")}`;

/** For wss: whom the station trusts, and its own certificate. All PEM. */
export interface StationTls {
  ca: string;
  cert?: string;
  key?: string;
}

interface ConnectOptions {
  /** Absent: connections to wss are impossible. */
  tls?: StationTls;
  /** Without an Authorization header. */
  withoutPassword?: boolean;
  path?: string;
  protocols?: string[];
  headers?: Record<string, string>;
}

/** An open connection of a station, and how it ended. */
export interface Connection {
  ws: WebSocket;
  /** Resolves when the connection is closed. */
  closed: Promise<{ code: number; reason: string }>;
  /** Sends a CALL and gives back the frame that answers it. Rejects when the connection ends before. */
  call(messageId: string, action: string, payload: object): Promise<unknown[]>;
}

/** Connects with `ws`. Rejects when the upgrade is refused. */
export async function connectStation(
  url: string,
  station: RegisteredStation,
  options: ConnectOptions = {},
): Promise<Connection> {
  const { path = `/ocpp/${station.spelling}`, protocols = ["ocpp1.6"], headers = {} } = options;
  const ws = new WebSocket(url + path, protocols, {
    headers: {
      ...(options.withoutPassword ? {} : { authorization: basicAuth(station.spelling, station.password) }),
      ...headers,
    },
    ...options.tls,
    perMessageDeflate: options.headers?.["x-compress"] !== undefined,
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.once("close", (code: number, reason: Buffer) => resolve({ code, reason: reason.toString() }));
  });
  await once(ws, "open");
  return {
    ws,
    closed,
    call(messageId, action, payload) {
      const answered = new Promise<unknown[]>((resolve, reject) => {
        ws.on("message", (data: Buffer) => {
          const frame = JSON.parse(data.toString()) as unknown[];
          if (frame[1] === messageId) resolve(frame);
        });
        void closed.then(({ code }) => reject(new Error(`closed with ${code} before ${messageId} was answered`)));
      });
      ws.send(JSON.stringify([2, messageId, action, payload]));
      return answered;
    },
  };
}

export interface HandshakeAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** An upgrade request as it is written, and the HTTP answer to it. Rejects when the connection ends without one. */
export function handshake(
  url: string,
  path: string,
  headers: Record<string, string | string[]>,
  tls?: StationTls,
  localAddress?: string,
): Promise<HandshakeAnswer> {
  const { hostname, port } = new URL(url);
  const request = tls === undefined ? plainRequest : tlsRequest;
  return new Promise((resolve, reject) => {
    const asking = request({
      hostname,
      port,
      path,
      agent: false,
      ...tls,
      ...(localAddress && { localAddress }),
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      },
    });
    asking.on("error", reject);
    asking.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: response.headers, body: "" });
    });
    asking.on("response", (response) => {
      textOf(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    asking.end();
  });
}
