export interface BucketLimits {
  /** What may be spent at once after a rest. */
  burst: number;
  /** What comes back. */
  perSecond: number;
}

/**
 * What one connection may cost: tokens that come back at a steady rate, up to a reserve. No timers, nothing per use, and one
 * number per bucket: there is one for each connection, and it is looked at with every CALL.
 */
export class TokenBucket {
  readonly #limits: BucketLimits;
  /** When it will be full again, if nothing more is taken. */
  #fullAtMs: number;

  /** @param nowMs monotonic, as everywhere here */
  constructor(limits: BucketLimits, nowMs: number) {
    this.#limits = limits;
    this.#fullAtMs = nowMs;
  }

  /** Takes one. False: there is none now, and nothing was taken. */
  take(nowMs: number): boolean {
    const { burst, perSecond } = this.#limits;
    const fullAtMs = Math.max(this.#fullAtMs, nowMs) + 1_000 / perSecond;
    if (fullAtMs - nowMs > (burst * 1_000) / perSecond) return false;
    this.#fullAtMs = fullAtMs;
    return true;
  }

  /** Takes more for what was let in already: it may leave a debt, which those that follow wait for. */
  charge(tokens: number): void {
    this.#fullAtMs += (tokens * 1_000) / this.#limits.perSecond;
  }

  /** How long until there is one; 0: there is one. */
  waitMs(nowMs: number): number {
    const { burst, perSecond } = this.#limits;
    const debtMs = this.#fullAtMs - nowMs - ((burst - 1) * 1_000) / perSecond;
    return debtMs > 0 ? Math.ceil(debtMs) : 0;
  }
}
