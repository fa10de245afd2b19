/** Counts what may happen only so often, in windows of a minute. */
export class MinuteBudget {
  #windowStartMs = Number.NEGATIVE_INFINITY;
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

/** Stations that are remembered; the longest unused is forgotten first, and begins a new minute when it comes again. */
const MAX_STATIONS = 10_000;

/** A budget per station, over all its connections to this node: a station that reconnects has no new one. */
export class StationBudget {
  /** In order of last use. */
  readonly #budgets = new Map<string, MinuteBudget>();
  readonly #perMinute: number;

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** @param nowMs monotonic. False: the station's budget of this minute is used up. */
  spend(identity: string, nowMs: number): boolean {
    const budget = this.#budgets.get(identity) ?? new MinuteBudget(this.#perMinute);
    this.#budgets.delete(identity);
    this.#budgets.set(identity, budget);
    if (this.#budgets.size > MAX_STATIONS) {
      const [oldest] = this.#budgets.keys();
      if (oldest !== undefined) this.#budgets.delete(oldest);
    }
    return budget.spend(nowMs);
  }
}
