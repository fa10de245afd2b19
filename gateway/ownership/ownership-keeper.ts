import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Logger } from "pino";
import type { Stay } from "./station-ownership.ts";

interface HeldSession {
  readonly identity: StationIdentity;
  readonly epoch: number;
  readonly open: boolean;
  close(code: 1000, reason: string): void;
}

interface Deps {
  sessions(): HeldSession[];
  ownership: {
    /** False: lost to a newer connection. */
    reassert(identity: StationIdentity, epoch: number): Promise<boolean>;
    release(identity: StationIdentity, epoch: number, stay: Stay): Promise<boolean>;
  };
  pause(ms: number): Promise<void>;
  log: Logger;
}

/** Per batch and pause: 4,000 a second, so that a node with 50,000 sockets does not fill a Redis that has just come back. */
const BATCH = 200;
const PAUSE_MS = 50;

/** Keeps what Redis says of this node's stations true across its absences. Nothing here rejects. */
export class OwnershipKeeper {
  readonly #deps: Deps;
  /** Connections that ended while Redis was away: until it is told, the station would look connected. */
  readonly #unreleased = new Map<StationIdentity, number>();
  readonly #releasing = new Set<Promise<void>>();
  #running: Promise<void> | undefined;
  #again = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** A connection ended: gives its ownership up, now or when Redis is back. */
  ended(identity: StationIdentity, epoch: number, stay: Stay): Promise<void> {
    const release = this.#release(identity, epoch, stay).finally(() => this.#releasing.delete(release));
    this.#releasing.add(release);
    return release;
  }

  /** Resolves when every ended connection was given up, or could not be: for a clean stop. */
  async settled(): Promise<void> {
    await Promise.all(this.#releasing);
  }

  async #release(identity: StationIdentity, epoch: number, stay: Stay): Promise<void> {
    try {
      await this.#deps.ownership.release(identity, epoch, stay);
    } catch (error) {
      this.#unreleased.set(identity, epoch);
      this.#deps.log.warn({ station: identity, epoch, error: (error as Error).message }, "ownership not released yet");
    }
  }

  /**
   * After a reconnect to Redis: says again which stations this node holds, and closes those that it lost meanwhile.
   * Redis may have forgotten the owners (failover, restore), and a message to close may have been missed. A call during
   * a round makes one more round follow.
   */
  assertAgain(): Promise<void> {
    this.#again = this.#running !== undefined;
    this.#running ??= this.#rounds().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #rounds(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#round();
      } catch (error) {
        // Redis went away again: its next "ready" starts over.
        this.#deps.log.warn({ error: (error as Error).message }, "ownership not asserted again yet");
      }
    } while (this.#again);
  }

  async #round(): Promise<void> {
    const { sessions: all, ownership, pause, log } = this.#deps;
    const unreleased = [...this.#unreleased];
    await inBatches(unreleased, pause, async ([identity, epoch]) => {
      await ownership.release(identity, epoch, "neither");
      if (this.#unreleased.get(identity) === epoch) this.#unreleased.delete(identity);
    });

    const sessions = all();
    let lost = 0;
    await inBatches(sessions, pause, async (session) => {
      if (!session.open) return;
      if (await ownership.reassert(session.identity, session.epoch)) {
        // It closed while the question was under way: its release may have come first.
        if (!session.open) await this.ended(session.identity, session.epoch, "neither");
      } else {
        lost += 1;
        session.close(1000, "superseded by a newer connection");
      }
    });
    if (sessions.length + unreleased.length > 0)
      log.info({ sessions: sessions.length, lost, released: unreleased.length }, "ownership asserted again");
  }
}

async function inBatches<T>(
  items: readonly T[],
  pause: (ms: number) => Promise<void>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < items.length; at += BATCH) {
    if (at > 0) await pause(PAUSE_MS);
    await Promise.all(items.slice(at, at + BATCH).map(work));
  }
}
