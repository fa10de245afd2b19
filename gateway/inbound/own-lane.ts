import { LEASE_MS } from "@dynamo-csms/proto/redis-keys";
import type { LaneLink } from "./lane-link.ts";
import { beginLane, newLaneIdentity, registerLane, type LaneIdentity } from "./lane-registration.ts";

export interface OwnLaneDeps {
  nodeId: string;
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
    this.#identity = newLaneIdentity(deps.nodeId);
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
   * Registers a lane and writes its first entry. Never twice for the same lane: an attempt whose answer was lost may have
   * made it, and it may have been finished since. @param seq of the first entry's event
   */
  async begin(link: LaneLink, seq: number): Promise<void> {
    const next = this.#beginTried ? newLaneIdentity(this.#deps.nodeId) : this.#identity;
    await this.#register(link, next);
    this.#beginTried = true;
    await beginLane(link.connection, this.#deps.nodeId, next, seq);
    if (link.dead) return;
    this.#identity = next;
    this.#begun = true;
  }

  /** Renews the registration and the lease. Rejects when Redis takes no writes. */
  async renew(link: LaneLink): Promise<void> {
    await this.#register(link, this.#identity);
  }

  async #register(link: LaneLink, lane: LaneIdentity): Promise<void> {
    const askedAtMs = this.#deps.nowMs();
    await registerLane(link.connection, this.#deps.nodeId, lane);
    const lapsed = this.#leasedUntilMs !== undefined && this.#deps.nowMs() > this.#leasedUntilMs;
    this.#leasedUntilMs = askedAtMs + LEASE_MS;
    if (lapsed && lane === this.#identity) this.#deps.leaseLapsed();
  }
}
