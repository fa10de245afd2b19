import { connect } from "node:net";

/** What a connection brings instead of a request, and at which pace: silence, headers that drip in, a TLS hello and no more. */
export interface Trickle {
  bytes: Buffer;
  everyMs: number;
}

const REQUEST = Buffer.from(
  `GET /ocpp/1.6/CS-0001 HTTP/1.1\r\nHost: csms\r\nUpgrade: websocket\r\nX-Filler: ${"x".repeat(2_000)}`,
);
/** The record header of a ClientHello and its first bytes (RFC 8446 §5.1, §4): the rest never comes. */
const HELLO = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);

export const TRICKLES: readonly Trickle[] = [
  { bytes: Buffer.alloc(0), everyMs: 10_000 },
  { bytes: REQUEST, everyMs: 10_000 },
  { bytes: REQUEST, everyMs: 500 },
  { bytes: HELLO, everyMs: 500 },
];

interface TrickleSettings {
  port: number;
  localAddress: string;
  /** Given up by ourselves after this time. */
  giveUpMs: number;
}

/** Opens a TCP connection that never brings a whole request. Resolves to how long it was borne with, ms; Infinity: to the end. */
export async function trickle({ bytes, everyMs }: Trickle, settings: TrickleSettings): Promise<number> {
  const socket = connect({ port: settings.port, host: "127.0.0.1", localAddress: settings.localAddress });
  let at = 0;
  let startedAtMs = performance.now();
  const drip = () => void (at < bytes.length && socket.write(bytes.subarray(at, (at += 1))));
  const timer = setInterval(drip, everyMs);
  const borne = await new Promise<number>((resolve) => {
    const over = setTimeout(() => resolve(Number.POSITIVE_INFINITY), settings.giveUpMs);
    socket.on("connect", () => {
      startedAtMs = performance.now();
      drip();
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("data", () => {});
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(over);
      resolve(performance.now() - startedAtMs);
    });
  });
  clearInterval(timer);
  socket.destroy();
  return borne;
}
