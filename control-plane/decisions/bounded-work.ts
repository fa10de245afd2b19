/** Runs at most `concurrency` pieces of work at a time, and keeps at most `waiting` more waiting, in order. */
export class BoundedWork {
  readonly concurrency: number;
  readonly #maxWaiting: number;
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(limits: { concurrency: number; waiting: number }) {
    this.concurrency = limits.concurrency;
    this.#maxWaiting = limits.waiting;
  }

  /** Pieces that run or wait. */
  get size(): number {
    return this.#running + this.#queue.length;
  }

  /** The work's outcome, or undefined when there is no room for it: it was not begun. Rejects when the work does. */
  async run<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#running >= this.concurrency) {
      if (this.#queue.length >= this.#maxWaiting) return undefined;
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      // The place is handed on, so that nobody slips in between.
      const next = this.#queue.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
