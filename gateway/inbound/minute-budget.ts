/** Counts what one connection may do only so often, in windows of a minute. */
export class MinuteBudget {
  #windowStartMs = 0;
  #count = 0;
  readonly #perMinute: number;

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** @param nowMs monotonic. False: the budget of this minute is used up. */
  spend(nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= 60_000) {
      this.#windowStartMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= this.#perMinute;
  }
}
