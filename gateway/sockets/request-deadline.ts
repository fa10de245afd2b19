/** What is used of the WebSocket library's response object; at this moment it stands for the bare TCP connection. */
interface RawConnection {
  onAborted(run: () => void): unknown;
  onData(run: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  close(): unknown;
}

interface Deps {
  deadlineMs: number;
  /** Connections without a request at the same time, all addresses together; past it the next one is closed at once. */
  maxWaiting: number;
  every(ms: number, run: () => void): { cancel(): void };
  nowMs(): number;
}

interface Waiting {
  connection: RawConnection;
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
  readonly #deps: Deps;
  readonly #timer: { cancel(): void };

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#timer = deps.every(1_000, () => this.#cut());
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** A TCP connection was accepted. `onUnused`: it ended, by whoever, before it brought a request. */
  accepted(connection: RawConnection, onUnused: () => void): void {
    if (this.#waiting.size >= this.#deps.maxWaiting) return void connection.close();
    const entry: Waiting = { connection, sinceMs: this.#deps.nowMs() };
    this.#waiting.add(entry);
    connection.onAborted(() => {
      if (this.#waiting.delete(entry)) onUnused();
    });
    connection.onData((_chunk, isLast) => {
      if (isLast) this.#waiting.delete(entry);
    });
  }

  stop(): void {
    this.#timer.cancel();
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
