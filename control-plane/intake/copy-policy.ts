import { NewestSamples } from "../transactions/newest-samples.ts";

/** After a copy that met a row that was there, so many batches go without; twice as many with every further one. */
const FIRST_REST = 1;
const LONGEST_REST = 64;

/**
 * When batches of a lane are copied (COPY): half the price of an insert that looks for conflicts, but a row that is there
 * already makes it fail, and with it the batch, which is then applied again without. That happens when a lane is told again
 * (Redis lost it) or a station repeats old readings under a new connection; where it goes on, nobody copies for a while.
 */
export class CopyPolicy {
  readonly newest = new NewestSamples();
  #rest = 0;
  #nextRest = FIRST_REST;

  /** Whether the next batch is copied. Ask once per batch. */
  next(): boolean {
    if (this.#rest === 0) return true;
    this.#rest -= 1;
    return false;
  }

  copied(): void {
    this.#nextRest = FIRST_REST;
  }

  /** The copy failed on what was in it. */
  failed(): void {
    this.#rest = this.#nextRest;
    this.#nextRest = Math.min(2 * this.#nextRest, LONGEST_REST);
  }
}
