import { randomUUID } from "node:crypto";
import WebSocket from "ws";

export interface LedgerEntry {
  messageId: string;
  action: string;
  payload: Record<string, unknown>;
  /** How often it was put on a socket. */
  sent: number;
  /** Absent: not acknowledged. */
  answer?: Record<string, unknown>;
  error?: { code: string; description: string };
}

export interface ReceivedCommand {
  messageId: string;
  action: string;
  payload: Record<string, unknown>;
  /** Which of the station's connections it came on, from 1. */
  connection: number;
}

interface Options {
  /** ws://host:port of every node it may try, in turn. */
  origins: readonly string[];
  identity: string;
  password: string;
  version: "1.6" | "2.0.1" | "2.1";
  /** The station's answer to a CALL of ours; undefined: it stays silent. */
  answer?: (action: string, payload: Record<string, unknown>) => Record<string, unknown> | undefined;
}

/**
 * A station as the specifications describe it, that remembers what it was told: one open CALL, a queue that outlives the
 * connection, the same message sent again until it is answered, reconnects to the next node. Its ledger is what Postgres
 * is compared with.
 */
export class LedgerStation {
  readonly ledger: LedgerEntry[] = [];
  readonly commands: ReceivedCommand[] = [];
  /** Close codes seen, in order; 0 where a connection could not be opened. */
  readonly closes: number[] = [];
  connections = 0;
  readonly #options: Options;
  readonly #queue: { entry: LedgerEntry; settle: (entry: LedgerEntry) => void }[] = [];
  #socket: WebSocket | undefined;
  #target = 0;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connects, to `origins[target]` first; from then on it reconnects by itself, to the next one each time. */
  connect(target = 0): void {
    this.#target = target;
    this.#open();
  }

  /** Leaves the connection (as after a loss of signal, without a close frame) and goes to this node. */
  moveTo(target: number): void {
    this.#target = target;
    const old = this.#socket;
    this.#socket = undefined;
    clearTimeout(this.#retry);
    this.#open();
    old?.removeAllListeners("close");
    old?.terminate();
  }

  /** Queues a CALL. Resolves when it was answered, with a CALLRESULT or a CALLERROR, however many connections that takes. */
  call(action: string, payload: Record<string, unknown> = {}): Promise<LedgerEntry> {
    const entry: LedgerEntry = { messageId: randomUUID(), action, payload, sent: 0 };
    this.ledger.push(entry);
    return new Promise((settle) => {
      this.#queue.push({ entry, settle });
      if (this.#queue.length === 1) this.#sendFirst();
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#socket?.terminate();
  }

  #open(): void {
    const { origins, identity, password, version } = this.#options;
    const origin = origins[this.#target % origins.length] as string;
    const socket = new WebSocket(`${origin}/ocpp/${version}/${identity}`, [`ocpp${version}`], {
      auth: `${identity}:${password}`,
      handshakeTimeout: 10_000,
    });
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("open", () => {
      this.connections += 1;
      this.#sendFirst();
    });
    socket.on("message", (data) => this.#receive(socket, String(data)));
    socket.on("close", (code) => {
      this.closes.push(code === 1006 && socket !== this.#socket ? 0 : code);
      if (socket !== this.#socket || this.#stopped) return;
      this.#target += 1;
      this.#retry = setTimeout(() => this.#open(), 200 + Math.random() * 300);
    });
  }

  #sendFirst(): void {
    const first = this.#queue[0];
    if (first === undefined || !this.connected) return;
    first.entry.sent += 1;
    this.#socket?.send(JSON.stringify([2, first.entry.messageId, first.entry.action, first.entry.payload]));
  }

  #receive(socket: WebSocket, text: string): void {
    const [type, messageId, third, fourth] = JSON.parse(text) as [number, string, unknown, unknown];
    if (type === 2) {
      const payload = fourth as Record<string, unknown>;
      this.commands.push({ messageId, action: String(third), payload, connection: this.connections });
      const answer = this.#options.answer?.(String(third), payload);
      if (answer !== undefined) socket.send(JSON.stringify([3, messageId, answer]));
      return;
    }
    const first = this.#queue[0];
    if (first === undefined || first.entry.messageId !== messageId) return;
    if (type === 3) first.entry.answer = third as Record<string, unknown>;
    else first.entry.error = { code: String(third), description: String(fourth) };
    this.#queue.shift();
    first.settle(first.entry);
    this.#sendFirst();
  }
}
