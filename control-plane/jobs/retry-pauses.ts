const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** Past it the oldest is forgotten: it is tried once more without a pause, which is harmless. */
const MAX_ROWS = 10_000;

/** When a row whose run threw may be tried again: a row with a bug in it must not spin, an outage must not hold one back for long. */
export class RetryPauses {
  readonly #failures = new Map<string, { count: number; notBeforeMs: number }>();

  /** Doubles with each failure in a row: 1 s, 2 s, … 30 s. @returns the pause in ms. */
  failed(id: string, nowMs: number): number {
    const count = (this.#failures.get(id)?.count ?? 0) + 1;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (count - 1), LONGEST_PAUSE_MS);
    this.#failures.delete(id);
    this.#failures.set(id, { count, notBeforeMs: nowMs + pauseMs });
    if (this.#failures.size > MAX_ROWS) this.#failures.delete(this.#failures.keys().next().value as string);
    return pauseMs;
  }

  succeeded(id: string): void {
    this.#failures.delete(id);
  }

  mayRun(id: string, nowMs: number): boolean {
    return (this.#failures.get(id)?.notBeforeMs ?? 0) <= nowMs;
  }
}
