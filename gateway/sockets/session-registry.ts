import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Session } from "./session.ts";

/** How long a takeover is remembered for a connection that is still on its way to being opened here. */
const FENCE_MS = 60_000;

/** Identity → its one session on this node. The higher epoch wins, in whatever order opens and closes come. */
export class SessionRegistry {
  readonly #sessions = new Map<StationIdentity, Session>();
  /** In insertion order, so that the expired ones are in front. */
  readonly #fences = new Map<StationIdentity, { belowEpoch: number; untilMs: number }>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(identity: StationIdentity): Session | undefined {
    return this.#sessions.get(identity);
  }

  /** All sessions now; safe to close them while walking. */
  all(): Session[] {
    return [...this.#sessions.values()];
  }

  /**
   * Registers an opened session and closes the one that it replaces. False: a newer connection of the station came
   * first, here or on another node; the caller closes this one.
   */
  add(session: Session): boolean {
    const former = this.#sessions.get(session.identity);
    if (former !== undefined && former.epoch >= session.epoch) return false;
    const fence = this.#fences.get(session.identity);
    if (fence !== undefined && fence.untilMs > this.#nowMs() && session.epoch < fence.belowEpoch) return false;
    this.#sessions.set(session.identity, session);
    former?.close(1000, "superseded by a newer connection");
    return true;
  }

  /** Forgets a closed session. False: it was not registered any more; its successor stays. */
  remove(session: Session): boolean {
    if (this.#sessions.get(session.identity) !== session) return false;
    return this.#sessions.delete(session.identity);
  }

  /**
   * Another connection took the station over: closes the session here if its epoch is lower, and refuses lower ones that
   * are still between taking ownership and being opened. True: one was closed.
   */
  supersede(identity: StationIdentity, belowEpoch: number): boolean {
    this.#fence(identity, belowEpoch);
    return this.#closeBelow(identity, belowEpoch, (session) => session.close(1000, "superseded by a newer connection"));
  }

  /**
   * Access was withdrawn: closes the session here if its epoch is lower, and refuses lower ones that are on their way, for
   * they were let in before it was. True: one was closed.
   */
  revoke(identity: StationIdentity, belowEpoch: number): boolean {
    this.#fence(identity, belowEpoch);
    return this.#closeBelow(identity, belowEpoch, (session) => session.close(1008, "access revoked"));
  }

  /** An operator wants the station to connect anew: closes the session here if its epoch is lower. True: one was closed. */
  disconnect(identity: StationIdentity, belowEpoch: number): boolean {
    return this.#closeBelow(identity, belowEpoch, (session) => session.close(1012, "disconnected by an operator"));
  }

  #closeBelow(identity: StationIdentity, belowEpoch: number, close: (session: Session) => void): boolean {
    const session = this.#sessions.get(identity);
    if (session === undefined || session.epoch >= belowEpoch) return false;
    close(session);
    return true;
  }

  #fence(identity: StationIdentity, belowEpoch: number): void {
    const nowMs = this.#nowMs();
    for (const [fenced, { untilMs }] of this.#fences) {
      if (untilMs > nowMs) break;
      this.#fences.delete(fenced);
    }
    const earlier = this.#fences.get(identity)?.belowEpoch ?? 0;
    this.#fences.delete(identity);
    this.#fences.set(identity, { belowEpoch: Math.max(earlier, belowEpoch), untilMs: nowMs + FENCE_MS });
  }
}
