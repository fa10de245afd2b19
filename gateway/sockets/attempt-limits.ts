/** Tokens that come back at a steady rate, up to a reserve. */
interface Bucket {
  tokens: number;
  atMs: number;
}

interface Limits {
  /** The reserve: how many at once. */
  burst: number;
  perSecond: number;
  /** Keys remembered at the most; the longest unused is forgotten first, and so starts with a full reserve again. */
  maxKeys: number;
  nowMs(): number;
}

/** The longest unused come first; the first that is still owed something ends the round. */
const RESTED_AT_ONCE = 2_000;

/** A rate limit per key in bounded memory. Per process: N nodes together allow N times as much. */
export class AttemptLimit {
  /** In order of last use. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** True when nothing is left for this key. Takes nothing. */
  exhausted(key: string): boolean {
    return this.#current(key).tokens < 1;
  }

  /** Takes one. False: nothing was left. */
  take(key: string): boolean {
    const bucket = this.#current(key);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#limits.maxKeys) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Forgets some of those whose reserve is full again: nothing but the memory changes by it. To be called now and then. */
  forgetRested(): void {
    let looked = 0;
    for (const key of this.#buckets.keys()) {
      if (this.#current(key).tokens < this.#limits.burst || (looked += 1) > RESTED_AT_ONCE) return;
      this.#buckets.delete(key);
    }
  }

  /** Undoes one `take`: it was for nothing that is to be limited. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return;
    bucket.tokens += 1;
    // As if it had never been here: nearly all of those that are given back are.
    if (bucket.tokens >= this.#limits.burst) this.#buckets.delete(key);
  }

  #current(key: string): Bucket {
    const { burst, perSecond, nowMs } = this.#limits;
    const atMs = nowMs();
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return { tokens: burst, atMs };
    const regained = ((atMs - bucket.atMs) / 1_000) * perSecond;
    return { tokens: Math.min(burst, bucket.tokens + regained), atMs };
  }
}
