import type { CloseCode } from "./close-codes.ts";
import type { Entrant } from "./connection-life.ts";
import type { Session, StationSocket } from "./session.ts";

/** What is used of the WebSocket library's socket. Every call on it throws once its close event has come. */
interface LibrarySocket {
  /** 2: dropped at the back-pressure limit; 0 and 1 are both "on its way". */
  send(text: string): number;
  ping(): unknown;
  /** Brings the close event about before it returns. */
  end(code: number, reason: string): void;
}

/** A WebSocket from its upgrade to its close event, safe to use after it. */
export class Connection implements StationSocket {
  session: Session | undefined;
  closedByUs: CloseCode | undefined;
  readonly entrant: Entrant | undefined;
  #ws: LibrarySocket | undefined;

  /** Without an entrant the connection is closed as soon as it is open. */
  constructor(entrant: Entrant | undefined) {
    this.entrant = entrant;
  }

  opened(ws: LibrarySocket): void {
    this.#ws = ws;
  }

  closed(): void {
    this.#ws = undefined;
  }

  send(text: string): boolean {
    return this.#ws !== undefined && this.#ws.send(text) !== 2;
  }

  ping(): void {
    this.#ws?.ping();
  }

  close(code: CloseCode, reason: string): void {
    if (this.#ws === undefined) return;
    this.closedByUs = code;
    this.#ws.end(code, reason);
  }
}
