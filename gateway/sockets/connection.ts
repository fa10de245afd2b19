import type { CloseCode } from "./close-codes.ts";
import type { Entrant } from "./connection-life.ts";
import { KeptAlive } from "./keepalive.ts";
import type { Session, StationSettings, StationSocket } from "./session.ts";

/** What is used of the WebSocket library's socket. Every call on it throws once its close event has come. */
interface LibrarySocket {
  /** 2: dropped at the back-pressure limit; 0 and 1 are both "on its way". */
  send(text: string | Uint8Array): number;
  ping(): unknown;
  /** Brings the close event about before it returns. */
  end(code: number, reason: string): void;
  /** As `end`, without a word to the peer. */
  close(): void;
}

interface Deps {
  /** Absent: the connection is closed as soon as it is open. */
  entrant: Entrant | undefined;
  /** The station's record changed: its times may be others. One function for all connections. */
  keepalive(connection: Connection, record: StationSettings): void;
}

/** A WebSocket from its upgrade to its close event, safe to use after it. */
export class Connection extends KeptAlive implements StationSocket {
  session: Session | undefined;
  closedByUs: CloseCode | undefined;
  /** Given up after silence: its close event has no word on it. */
  wasLost = false;
  #entrant: Entrant | undefined;
  readonly #keepalive: Deps["keepalive"];
  /** Who waits for a sign of life, once there was somebody. */
  #listeners: Set<(heard: boolean) => void> | undefined;
  #ws: LibrarySocket | undefined;

  constructor({ entrant, keepalive }: Deps) {
    super();
    this.#entrant = entrant;
    this.#keepalive = keepalive;
  }

  opened(ws: LibrarySocket): void {
    this.#ws = ws;
  }

  /** False once its close event has come. */
  get isOpen(): boolean {
    return this.#ws !== undefined;
  }

  /** Whose connection it is to be; told once, and not kept beside the session. */
  takeEntrant(): Entrant | undefined {
    const entrant = this.#entrant;
    this.#entrant = undefined;
    return entrant;
  }

  closed(): void {
    this.#ws = undefined;
    this.#tell(false);
  }

  /** A frame came in, of whatever kind. */
  heard(): void {
    if (this.#listeners !== undefined) this.#tell(true);
  }

  send(text: string | Uint8Array): boolean {
    return this.#ws !== undefined && this.#ws.send(text) !== 2;
  }

  ping(): void {
    this.#ws?.ping();
  }

  answersPing(timeoutMs: number): Promise<boolean> {
    if (this.#ws === undefined) return Promise.resolve(false);
    const answered = Promise.withResolvers<boolean>();
    const listeners = (this.#listeners ??= new Set());
    listeners.add(answered.resolve);
    const timer = setTimeout(() => answered.resolve(false), timeoutMs);
    this.#ws.ping();
    return answered.promise.finally(() => {
      clearTimeout(timer);
      listeners.delete(answered.resolve);
    });
  }

  recordChanged(record: StationSettings): void {
    if (this.#ws !== undefined) this.#keepalive(this, record);
  }

  /** Nothing was heard of the station for too long: nobody is there to be told. */
  lost(): void {
    this.wasLost = true;
    this.#ws?.close();
  }

  close(code: CloseCode, reason: string): void {
    if (this.#ws === undefined) return;
    this.closedByUs = code;
    this.#ws.end(code, reason);
  }

  #tell(heard: boolean): void {
    for (const tell of this.#listeners ?? []) tell(heard);
  }
}
