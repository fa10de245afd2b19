import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { basicAuth } from "./fake-station.ts";
import type { RegisteredStation } from "./world.ts";

/** A bare TCP connection, for what no WebSocket client would send. */
export interface RawSocket {
  socket: Socket;
  /** Everything that came in so far. */
  received(): Buffer;
  /** Resolves when the connection has ended, whoever ended it. */
  closed: Promise<void>;
}

/** Rejects when nobody listens. */
export async function connectRaw(port: number, localAddress?: string): Promise<RawSocket> {
  const socket = connect({ port, host: "127.0.0.1", ...(localAddress && { localAddress }) });
  await once(socket, "connect");
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, received: () => Buffer.concat(parts), closed };
}

/** The text of an upgrade request. */
export function upgradeText(station: RegisteredStation, headers: Record<string, string> = {}): string {
  const all = {
    Host: "localhost",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "ocpp2.0.1",
    Authorization: basicAuth(station.spelling, station.password),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `GET /ocpp/${station.spelling} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** A masked WebSocket frame (RFC 6455 §5.2), its mask all zeros. `first`: FIN, RSV and opcode. */
export function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const extended = length < 126 ? Buffer.alloc(0) : length < 65_536 ? Buffer.alloc(2) : Buffer.alloc(8);
  if (extended.length === 2) extended.writeUInt16BE(length);
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(length));
  const code = extended.length === 0 ? length : extended.length === 2 ? 126 : 127;
  return Buffer.concat([Buffer.from([first, 0x80 | code]), extended, Buffer.alloc(4), payload]);
}
