/**
 * How long a station was without a connection, and how much of it it waited by its own wish: from losing the connection to the
 * next one that is open. What is over is what it was kept waiting for: handshakes, refused ones with them.
 */
export class Absence {
  /** How often it was away. */
  times = 0;
  /** Handshakes that were refused or failed meanwhile. */
  refused = 0;
  /** The longest time away, in ms. */
  longestMs = 0;
  /** The most that one took beyond the back-off drawn for it, in ms. */
  mostOverMs = 0;
  #sinceMs: number | undefined;
  #backOffMs = 0;

  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#backOffMs = 0;
    this.times += 1;
  }

  /** A wait that the station has drawn for itself. */
  noteBackOff(seconds: number): void {
    this.#backOffMs += seconds * 1_000;
  }

  noteRefusal(): void {
    if (this.#sinceMs !== undefined) this.refused += 1;
  }

  /** @returns how long it was, in ms; undefined: it was not away, as before its first connection */
  end(nowMs: number): number | undefined {
    if (this.#sinceMs === undefined) return undefined;
    const awayMs = nowMs - this.#sinceMs;
    this.#sinceMs = undefined;
    this.longestMs = Math.max(this.longestMs, awayMs);
    this.mostOverMs = Math.max(this.mostOverMs, awayMs - this.#backOffMs);
    return awayMs;
  }

  told(): object {
    const { times, refused, longestMs, mostOverMs } = this;
    return { times, refused, longestMs: Math.round(longestMs), mostOverMs: Math.round(mostOverMs) };
  }
}
