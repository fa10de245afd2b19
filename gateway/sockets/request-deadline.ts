import { FairRoom } from "./fair-room.ts";

/** What is used of the WebSocket library's response object; at this moment it stands for the bare TCP connection. */
interface RawConnection {
  onAborted(run: () => void): unknown;
  onData(run: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  close(): unknown;
}

interface Deps {
  deadlineMs: number;
  /** Connections without a request at the same time, all sources together; who finds no room for its source is closed at once. */
  maxWaiting: number;
  every(ms: number, run: () => void): { cancel(): void };
  nowMs(): number;
}

interface Waiting {
  connection: RawConnection;
  source: string;
  sinceMs: number;
}

/**
 * Closes connections that do not bring their request to an end in time: silent ones, TLS hellos without a continuation, and
 * headers that drip in. The library has no such limit: each byte prolongs its own.
 *
 * It rests on two callbacks of the library. `onData` with isLast comes once a request is complete, behind the handler of the
 * request and within the same turn of the event loop; `onAborted` when the connection closes before. So a request's handler
 * may not answer before the next turn, and must close at once a request that announces a body: else the connection
 * would be gone with its object still waiting here, and using that ends the process.
 */
export class RequestDeadline {
  /** In order of arrival, so that the oldest are in front. */
  readonly #waiting = new Set<Waiting>();
  readonly #room: FairRoom;
  readonly #deps: Deps;
  readonly #timer: { cancel(): void };

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#room = new FairRoom(deps.maxWaiting);
    this.#timer = deps.every(1_000, () => this.#cut());
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** A TCP connection was accepted. `onUnused`: it ended, by whoever, before it brought a request. @param source see proto/source-address.ts */
  accepted(connection: RawConnection, source: string, onUnused: () => void): void {
    if (!this.#room.enter(source)) return void connection.close();
    const entry: Waiting = { connection, source, sinceMs: this.#deps.nowMs() };
    this.#waiting.add(entry);
    connection.onAborted(() => {
      if (this.#forget(entry)) onUnused();
    });
    connection.onData((_chunk, isLast) => {
      if (isLast) this.#forget(entry);
    });
  }

  stop(): void {
    this.#timer.cancel();
  }

  #forget(entry: Waiting): boolean {
    if (!this.#waiting.delete(entry)) return false;
    this.#room.leave(entry.source);
    return true;
  }

  #cut(): void {
    const { nowMs, deadlineMs } = this.#deps;
    const beforeMs = nowMs() - deadlineMs;
    for (const { connection, sinceMs } of this.#waiting) {
      if (sinceMs > beforeMs) break;
      // Brings onAborted about, which takes it off the set.
      connection.close();
    }
  }
}
