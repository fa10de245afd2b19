import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { laneProbe, LEASE_MS } from "@dynamo-csms/proto/redis-keys";

/** Seldom enough that no lease runs out between two probes: leases are renewed three times in their life. */
const GAP_MS = LEASE_MS / 2;

/**
 * Whether the Redis that has a lane takes writes. One that answers and refuses them (out of memory, a read-only replica)
 * lets the leases of living writers run out.
 */
export class WriteProbe {
  readonly #redis: RedisConnection;
  readonly #key: string;
  #sinceMs: number | undefined;
  #lastMs = 0;

  constructor(redis: RedisConnection, laneId: string) {
    this.#redis = redis;
    this.#key = laneProbe(laneId);
  }

  /** For how long every probe succeeded, ms; 0 when the last one did not. */
  get writableForMs(): number {
    return this.#sinceMs === undefined ? 0 : this.#lastMs - this.#sinceMs;
  }

  /** Writes; call it about once a second. Never rejects. */
  async probe(): Promise<void> {
    try {
      await this.#redis.set(this.#key, "", "PX", LEASE_MS);
    } catch {
      this.#sinceMs = undefined;
      return;
    }
    const nowMs = performance.now();
    if (this.#sinceMs === undefined || nowMs - this.#lastMs > GAP_MS) this.#sinceMs = nowMs;
    this.#lastMs = nowMs;
  }
}
