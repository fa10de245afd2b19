import { randomUUID } from "node:crypto";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { WebSocket } from "ws";
import type { StationCredentials } from "../contract.ts";
import type { LedgerFile } from "../fleet/ledger-file.ts";

type Payload = Record<string, unknown>;

export interface OddSettings {
  /** ws://host:port */
  origin: string;
  credentials: StationCredentials;
  /** From which address of 127.0.0.0/8 it comes. */
  localAddress?: string;
  /** Where it writes down what it says and is told; without one nobody judges that. */
  ledger?: LedgerFile;
  /** False: it never answers a CALL of ours. */
  answers?: boolean;
}

const HANDSHAKE_TIMEOUT_MS = 60_000;

/**
 * One connection of one station, without the good manners of the fleet's: it does not come back, it may stop to read, and it
 * says several CALLs at a time. Answers every CALL of ours with Accepted.
 */
export class OddStation {
  /** Message ids of our CALLs that came, in order. */
  readonly commands: string[] = [];
  /** Resolves to the close code; 1006 without a close frame. */
  readonly closed: Promise<number>;
  readonly identity: string;
  readonly #socket: WebSocket;
  readonly #settings: OddSettings;
  readonly #open = new Map<string, (answer: Payload | undefined) => void>();

  constructor(socket: WebSocket, settings: OddSettings) {
    this.#socket = socket;
    this.#settings = settings;
    this.identity = settings.credentials.identity;
    this.#write(["opened", Date.now(), this.identity, 1, ""]);
    socket.on("message", (data) => this.#received((data as Buffer).toString())); // as "ws" gives it by default
    socket.on("error", () => {}); // "close" follows
    this.closed = new Promise((resolve) =>
      socket.once("close", (code) => {
        this.#write(["closed", Date.now(), this.identity, 1, code]);
        for (const settle of this.#open.values()) settle(undefined);
        this.#open.clear();
        resolve(code);
      }),
    );
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Says a CALL. Resolves to its CALLRESULT; undefined: a CALLERROR, or the connection ended. @param key see `LedgerLine` */
  ask(action: string, payload: Payload, key = ""): Promise<Payload | undefined> {
    const messageId = randomUUID();
    return new Promise((resolve) => {
      if (!this.isOpen) return resolve(undefined);
      this.#open.set(messageId, resolve);
      this.#write(["sent", Date.now(), this.identity, 1, messageId, action, key]);
      this.#socket.send(JSON.stringify([2, messageId, action, payload]));
    });
  }

  /** Answers a CALL of ours that it may not even have read. */
  answer(messageId: string, payload: Payload): void {
    if (this.isOpen) this.#socket.send(JSON.stringify([3, messageId, payload]));
  }

  stopReading(): void {
    this.#socket.pause();
  }

  /** Ends the connection in order. */
  leave(): void {
    this.#socket.close(1000);
  }

  /** Ends the connection without a close frame. */
  vanish(): void {
    this.#socket.terminate();
  }

  #received(text: string): void {
    const [type, messageId, third] = JSON.parse(text) as [number, string, unknown];
    if (type === 2) {
      this.commands.push(messageId);
      const answer = this.#settings.answers === false ? undefined : { status: "Accepted" };
      this.#write(["command", Date.now(), this.identity, 1, messageId, String(third), answer]);
      if (answer !== undefined) this.answer(messageId, answer);
      return;
    }
    const settle = this.#open.get(messageId);
    if (settle === undefined) return this.#write(["stray", Date.now(), this.identity, 1, messageId]);
    this.#open.delete(messageId);
    if (type === 3) {
      const result = third as Payload;
      this.#write(["answered", Date.now(), this.identity, 1, messageId, factsOf(result)]);
      settle(result);
    } else {
      this.#write(["failed", Date.now(), this.identity, 1, messageId, String(third)]);
      settle(undefined);
    }
  }

  #write(line: Parameters<LedgerFile["add"]>[0]): void {
    this.#settings.ledger?.add(line);
  }
}

/** What the judge compares with Postgres. */
const factsOf = ({ transactionId }: Payload): Payload => (transactionId === undefined ? {} : { transactionId });

/** Connects. The error is why not: the HTTP status, or the name of what went wrong on the way. */
export async function connectOdd(settings: OddSettings): Promise<Result<OddStation, string>> {
  const { origin, localAddress } = settings;
  const { identity, password, version } = settings.credentials;
  const socket = new WebSocket(`${origin}/ocpp/${version}/${encodeURIComponent(identity)}`, [`ocpp${version}`], {
    auth: `${identity}:${password}`,
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ...(localAddress !== undefined && { localAddress }),
  });
  return new Promise((resolve) => {
    // Before anything that follows the handshake can be read.
    socket.once("open", () => resolve(ok(new OddStation(socket, settings))));
    socket.once("unexpected-response", (_request, response) => {
      resolve(err(String(response.statusCode)));
      socket.terminate();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(err(error.code ?? error.message)));
  });
}
