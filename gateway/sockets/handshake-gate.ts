import { TokenBucket } from "../inbound/token-bucket.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { FairRoom } from "./fair-room.ts";

/**
 * What became of a handshake's turn: it may go on (`done` is owed then), there was no room to wait, it waited for too long,
 * its connection ended, or the node stops.
 */
export type Turn = "admitted" | "full" | "overdue" | "hung-up" | "stopping";

/** A handshake's place in front of the gate. */
export interface Place {
  turn: Promise<Turn>;
  /** Its connection ended: if it still waits, it does no longer. */
  leave(): void;
}

interface Deps {
  /** Handshakes let in per second. 0: as many as come. */
  perSecond: number;
  every(ms: number, run: () => void): { cancel(): void };
  nowMs(): number;
  metrics: Pick<GatewayMetrics, "handshakesWaiting" | "handshakesAdmitted">;
}

interface Waiter {
  source: string;
  sinceMs: number;
  settle(turn: Turn): void;
}

/** Longer is of no use: with the check behind the gate a station has its answer within 5 s. */
const MAX_WAIT_MS = 4_000;
const TICK_MS = 20;
/** After a rest, this part of a second's handshakes at once: a van full of units does not wait. */
const BURST_SECONDS = 0.2;
/** Let in and without an answer yet; each lasts as long as Redis may take. Past it nobody is let in. */
const MAX_UNDER_WAY = 10_000;
/** Where the rate would allow next to none. */
const LEAST_ROOM = 32;
const ROOM_WITHOUT_RATE = 2_000;

/**
 * Lets handshakes in at a steady rate, before they cost anything. What comes faster waits: in a queue per source, first in
 * first out, and the queues take turns. So a source alone gets the whole rate, and one that floods gets no more than each of
 * the others. Waiting is bounded in time, and in number to what can be let in within that time; no source can take all of it.
 */
export class HandshakeGate {
  readonly #deps: Deps;
  readonly #rate: TokenBucket | undefined;
  readonly #room: FairRoom;
  /** In the order of their turns. */
  readonly #queues = new Map<string, Set<Waiter>>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiter>();
  #timer: { cancel(): void } | undefined;
  #underWay = 0;
  #stopping = false;

  constructor(deps: Deps) {
    const { perSecond } = deps;
    this.#deps = deps;
    this.#rate =
      perSecond === 0
        ? undefined
        : new TokenBucket({ burst: Math.max(1, Math.round(perSecond * BURST_SECONDS)), perSecond }, deps.nowMs());
    this.#room = new FairRoom(
      perSecond === 0 ? ROOM_WITHOUT_RATE : Math.max(LEAST_ROOM, (perSecond * MAX_WAIT_MS) / 1_000),
    );
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a place for a handshake. @param source see proto/source-address.ts */
  enter(source: string): Place {
    if (this.#stopping) return settled("stopping");
    if (this.#waiting.size === 0 && this.#letIn()) return settled("admitted");
    if (!this.#room.enter(source)) return settled("full");
    const { promise, resolve } = Promise.withResolvers<Turn>();
    const waiter: Waiter = { source, sinceMs: this.#deps.nowMs(), settle: resolve };
    const queue = this.#queues.get(source) ?? new Set();
    queue.add(waiter);
    this.#queues.set(source, queue);
    this.#waiting.add(waiter);
    this.#deps.metrics.handshakesWaiting.inc();
    this.#timer ??= this.#deps.every(TICK_MS, () => this.#tick());
    return { turn: promise, leave: () => this.#settle(waiter, "hung-up") };
  }

  /** A handshake that was admitted has its answer. */
  done(): void {
    this.#underWay -= 1;
  }

  /** Lets nobody in any more; whoever waits is told so at once. */
  stop(): void {
    this.#stopping = true;
    for (const waiter of this.#waiting) this.#settle(waiter, "stopping");
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  #letIn(): boolean {
    if (this.#underWay >= MAX_UNDER_WAY) return false;
    if (this.#rate?.take(this.#deps.nowMs()) === false) return false;
    this.#underWay += 1;
    this.#deps.metrics.handshakesAdmitted.inc();
    return true;
  }

  #tick(): void {
    for (;;) {
      const [next] = this.#queues;
      if (next === undefined || !this.#letIn()) break;
      const [source, queue] = next;
      // Whoever had its turn goes behind the others.
      this.#queues.delete(source);
      this.#queues.set(source, queue);
      const [first] = queue;
      if (first !== undefined) this.#settle(first, "admitted");
    }
    const beforeMs = this.#deps.nowMs() - MAX_WAIT_MS;
    for (const waiter of this.#waiting) {
      if (waiter.sinceMs > beforeMs) break;
      this.#settle(waiter, "overdue");
    }
  }

  #settle(waiter: Waiter, turn: Turn): void {
    if (!this.#waiting.delete(waiter)) return;
    const queue = this.#queues.get(waiter.source);
    queue?.delete(waiter);
    if (queue?.size === 0) this.#queues.delete(waiter.source);
    this.#room.leave(waiter.source);
    this.#deps.metrics.handshakesWaiting.dec();
    if (this.#waiting.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    waiter.settle(turn);
  }
}

const settled = (turn: Turn): Place => ({ turn: Promise.resolve(turn), leave: () => undefined });
