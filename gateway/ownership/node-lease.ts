import { LEASE_MS, nodeLease } from "@dynamo-csms/proto/redis-keys";
import type { Logger } from "pino";

interface Deps {
  redis: {
    set(key: string, value: string, px: "PX", ms: number): Promise<unknown>;
    del(key: string): Promise<unknown>;
  };
  nodeId: string;
  /** The lane now: a writer that lost its lane opens another. */
  laneId(): string;
  startedAtMs: number;
  nowMs(): number;
  log: Logger;
}

/** The sign that this node is alive: what it owns counts as connected only while the lease stands. */
export class NodeLease {
  readonly #deps: Deps;
  #timer: NodeJS.Timeout | undefined;
  #heldUntilMs = 0;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** True while the last renewal still stands, as far as we know. */
  get held(): boolean {
    return this.#deps.nowMs() < this.#heldUntilMs;
  }

  /** Takes the lease and keeps renewing it. Rejects when the first attempt fails. */
  async start(): Promise<void> {
    await this.#renew();
    this.#timer = setInterval(() => {
      this.#renew().catch((error: Error) => this.#deps.log.warn({ error: error.message }, "node lease not renewed"));
    }, LEASE_MS / 3);
  }

  /** Ends it: from now on this node holds nothing. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    this.#heldUntilMs = 0;
    await this.#deps.redis.del(nodeLease(this.#deps.nodeId));
  }

  async #renew(): Promise<void> {
    const { redis, nodeId, laneId, startedAtMs, nowMs } = this.#deps;
    // Counted from before the request: it may have been carried out at any time since.
    const untilMs = nowMs() + LEASE_MS;
    await redis.set(nodeLease(nodeId), JSON.stringify({ laneId: laneId(), startedAtMs }), "PX", LEASE_MS);
    this.#heldUntilMs = untilMs;
  }
}
