import { once } from "node:events";
import WebSocket from "ws";
import { eventually } from "./eventually.ts";

const PROTOCOLS = { "1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1" } as const;
export type Version = keyof typeof PROTOCOLS;

/** A connection that sends whatever it is told to, and remembers what came back. */
export interface RawStation {
  socket: WebSocket;
  /** Frames that came, as they were written. */
  frames: string[];
  /** Resolves to the close code. */
  closed: Promise<number>;
  /** Sends a Heartbeat and resolves when it is answered: by then all that was sent before is dealt with. Undefined: closed before. */
  heartbeat(): Promise<string | undefined>;
}

/** Connects a station. Rejects when the gateway refuses it. */
export async function connectRaw(
  origin: string,
  station: { identity: string; password: string },
  version: Version,
): Promise<RawStation> {
  const socket = new WebSocket(`${origin}/ocpp/${version}/${station.identity}`, [PROTOCOLS[version]], {
    auth: `${station.identity}:${station.password}`,
    perMessageDeflate: false,
  });
  const frames: string[] = [];
  socket.on("message", (data: Buffer) => frames.push(data.toString()));
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await once(socket, "open");
  socket.on("error", () => {});
  let beats = 0;
  return {
    socket,
    frames,
    closed,
    async heartbeat() {
      const id = `heartbeat-${++beats}`;
      const answered = new Promise<string>((resolve) => {
        const look = (data: Buffer) => {
          if (data.toString().startsWith(`[3,"${id}",`)) resolve(data.toString());
          else socket.once("message", look);
        };
        socket.once("message", look);
      });
      socket.send(`[2,"${id}","Heartbeat",{}]`);
      return Promise.race([answered, closed.then(() => undefined)]);
    },
  };
}

/** Sends a CALL as it is written, and resolves to its answer, a CALLRESULT or a CALLERROR. */
export function askRaw(station: RawStation, frame: string): Promise<unknown[]> {
  const [, messageId] = JSON.parse(frame) as unknown[];
  const before = station.frames.length;
  station.socket.send(frame);
  return eventually(`the answer to ${frame.slice(0, 80)}`, () => {
    if (station.socket.readyState !== WebSocket.OPEN)
      throw new Error(`closed instead of an answer to ${frame.slice(0, 80)}`);
    const answers = station.frames.slice(before).map((text) => JSON.parse(text) as unknown[]);
    return answers.find(([type, id]) => (type === 3 || type === 4) && id === messageId);
  });
}
