import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { LEASE_MS } from "@dynamo-csms/proto/redis-keys";
import type { LaneLink } from "./lane-link.ts";
import { beginLane, newLaneIdentity, registerLane, renewLease, type LaneIdentity } from "./lane-registration.ts";

export interface OwnLaneDeps {
  nodeId: string;
  /** Where all lanes are registered: for short commands, not the lane's own connection. */
  registry: RedisConnection;
  nowMs(): number;
  /** The lease ran out: others may have taken this node for dead, and its connections for closed. */
  leaseLapsed(): void;
}

/** The lane that this process writes now, with its lease. It begins once; after that there is a stream, or it was lost. */
export class OwnLane {
  readonly #deps: OwnLaneDeps;
  #identity: LaneIdentity;
  #begun = false;
  #beginTried = false;
  /** Monotonic ms until which the lease surely stands. */
  #leasedUntilMs: number | undefined;

  constructor(deps: OwnLaneDeps) {
    this.#deps = deps;
    this.#identity = newLaneIdentity(deps.nodeId, () => true);
  }

  get laneId(): string {
    return this.#identity.laneId;
  }

  get key(): string {
    return this.#identity.key;
  }

  /** The lane has its first entry. */
  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Registers a lane of the link's server and writes its first entry. Never twice for the same lane: an attempt whose answer
   * was lost may have made it, and it may have been finished since. @param seq of the first entry's event
   */
  async begin(link: LaneLink, seq: number): Promise<void> {
    const { nodeId, registry } = this.#deps;
    const usable = !this.#beginTried && link.has(this.#identity.key);
    const next = usable ? this.#identity : newLaneIdentity(nodeId, link.has);
    await registerLane(registry, nodeId, next);
    await this.#renewLease(link, next);
    this.#beginTried = true;
    await beginLane(link.connection, nodeId, next, seq);
    if (link.dead) return;
    this.#identity = next;
    this.#begun = true;
  }

  /**
   * Renews the registration and the lease. Rejects when the lane's server takes no writes.
   * @returns monotonic ms since when the server surely was the one that has the lane, and took its writes
   */
  async renew(link: LaneLink): Promise<number> {
    // Best effort: without it the lane is found by SCAN, and the next renewal comes soon.
    registerLane(this.#deps.registry, this.#deps.nodeId, this.#identity).catch(() => {});
    return this.#renewLease(link, this.#identity);
  }

  async #renewLease(link: LaneLink, lane: LaneIdentity): Promise<number> {
    const askedAtMs = this.#deps.nowMs();
    await renewLease(link.connection, this.#deps.nodeId, lane);
    const lapsed = this.#leasedUntilMs !== undefined && this.#deps.nowMs() > this.#leasedUntilMs;
    this.#leasedUntilMs = askedAtMs + LEASE_MS;
    if (lapsed && lane === this.#identity) this.#deps.leaseLapsed();
    return askedAtMs;
  }
}
