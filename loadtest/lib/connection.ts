import encoding from "k6/encoding";
import { WebSocket } from "k6/websockets";
import type { Unit } from "./settings.ts";

/** What happens on a connection. */
export interface Listener {
  opened(): void;
  /** @param atMs when it came off the socket, in ms since 1970 */
  callResult(id: string, payload: Record<string, unknown>, atMs: number): void;
  callError(id: string, code: string): void;
  call(id: string, action: string, payload: Record<string, unknown>): void;
  /** After `opened` once, or without it when the handshake was refused. @param code undefined: no close frame */
  closed(code: number | undefined): void;
}

/** What k6 passes to listeners beyond its types. */
interface SocketEvent {
  data?: unknown;
  timestamp?: number;
  code?: number;
}

// Subprotocol and password travel as headers: so does every k6 that has this module.
const SUBPROTOCOLS = { "1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1" } as const;

/** One OCPP-J connection of a charge point (C16J §3, 4): frames in and out, no opinion about them. */
export class Connection {
  readonly #socket: WebSocket;

  /** @param gateway origin and prefix of the URL */
  constructor(unit: Unit, gateway: string, listener: Listener) {
    const { identity, password, version } = unit;
    this.#socket = new WebSocket(`${gateway}/${version}/${encodeURIComponent(identity)}`, null, {
      headers: {
        "Sec-WebSocket-Protocol": SUBPROTOCOLS[version],
        Authorization: `Basic ${encoding.b64encode(`${identity}:${password}`)}`,
      },
      // Without a name every URL is a time series of its own.
      tags: { name: "ocpp" },
    });
    this.#socket.onopen = () => listener.opened();
    this.#socket.onmessage = (event?: SocketEvent) => receive(event ?? {}, listener);
    this.#socket.onerror = () => {}; // closed follows
    this.#socket.onclose = ((event?: SocketEvent) => listener.closed(event?.code)) as () => void;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === 1;
  }

  sendCall(id: string, action: string, payload: Record<string, unknown>): void {
    this.#socket.send(`[2,"${id}","${action}",${JSON.stringify(payload)}]`);
  }

  sendResult(id: string, payload: Record<string, unknown>): void {
    this.#socket.send(JSON.stringify([3, id, payload]));
  }

  sendError(id: string, code: string): void {
    this.#socket.send(JSON.stringify([4, id, code, "", {}]));
  }

  close(): void {
    this.#socket.close();
  }
}

function receive({ data, timestamp }: SocketEvent, listener: Listener): void {
  const frame = JSON.parse(String(data)) as [number, string, ...unknown[]];
  const [type, id, third, fourth] = frame;
  if (type === 3) listener.callResult(id, third as Record<string, unknown>, timestamp ?? Date.now());
  else if (type === 4) listener.callError(id, String(third));
  else if (type === 2) listener.call(id, String(third), fourth as Record<string, unknown>);
}
