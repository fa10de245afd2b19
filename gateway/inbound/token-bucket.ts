export interface BucketLimits {
  /** What may be spent at once after a rest. */
  burst: number;
  /** What comes back. */
  perSecond: number;
}

/** What one connection may cost: tokens that come back at a steady rate, up to a reserve. No timers, nothing per use. */
export class TokenBucket {
  readonly #limits: BucketLimits;
  #tokens: number;
  #atMs: number;

  /** @param nowMs monotonic, as everywhere here */
  constructor(limits: BucketLimits, nowMs: number) {
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#atMs = nowMs;
  }

  /** Takes one. False: there is none now, and nothing was taken. */
  take(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes more for what was let in already: it may leave a debt, which those that follow wait for. */
  charge(tokens: number): void {
    this.#tokens -= tokens;
  }

  /** How long until there is one; 0: there is one. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#limits.perSecond) * 1_000);
  }

  #refill(nowMs: number): void {
    const regained = ((nowMs - this.#atMs) / 1_000) * this.#limits.perSecond;
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + regained);
  }
}
