/** Bytes of frames held in memory, for the whole process: each connection has its own limits, and there are many. */
export class WaitingBytes {
  #bytes = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether `take` would count it. */
  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#limit;
  }

  /** Counts a frame. False: there is no room for it now. */
  take(bytes: number): boolean {
    if (!this.hasRoom(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** What was taken is gone. */
  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
