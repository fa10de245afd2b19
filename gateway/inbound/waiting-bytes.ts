/** Bytes of frames held in memory, for the whole process: each connection has its own limits, and there are many. */
export class WaitingBytes {
  #bytes = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts a frame. False: there is no room for it now. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#limit) return false;
    this.#bytes += bytes;
    return true;
  }

  /** What was taken is gone. */
  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
