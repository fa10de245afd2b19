import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Logger } from "pino";
import type { StationOwnership, Takeover } from "./station-ownership.ts";

interface Deps {
  ownership: Pick<StationOwnership, "tellFormer" | "findAttempt">;
  sessions: { supersede(identity: StationIdentity, belowEpoch: number): boolean };
  /** Gives up an ownership that no connection has. Never rejects. */
  ended(identity: StationIdentity, epoch: number): Promise<void>;
  pause(ms: number): Promise<void>;
  log: Logger;
}

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;
/** About five minutes. By then the periodic assertion of every node has come round as well. */
const MAX_TRIES = 64;

export type TakeoverAftermath = ReturnType<typeof createTakeoverAftermath>;

/**
 * What a takeover leaves to do, whatever becomes of the connection that it was for. A former connection that is not told
 * would live on without an owner: no command would find it, and its station would have no reason to connect again.
 */
export function createTakeoverAftermath({ ownership, sessions, ended, pause, log }: Deps) {
  /** Redis is asked again until it answers. Undefined: it never did. */
  async function insist<T>(what: string, identity: StationIdentity, ask: () => Promise<T>): Promise<T | undefined> {
    let pauseMs = FIRST_PAUSE_MS;
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      try {
        return await ask();
      } catch (error) {
        if (tries === 1)
          log.warn({ station: identity, what, error: (error as Error).message }, "takeover not settled yet");
      }
      await pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
    log.error({ station: identity, what }, "takeover not settled");
    return undefined;
  }

  async function tellFormer(identity: StationIdentity, takeover: Takeover): Promise<void> {
    if (takeover.former.node === "") return;
    await insist("former owner not told", identity, () => ownership.tellFormer(identity, takeover));
  }

  /** Nobody came for it: the former connection ends too, here or elsewhere, so that its station connects anew. */
  async function abandoned(identity: StationIdentity, takeover: Takeover): Promise<void> {
    sessions.supersede(identity, takeover.epoch);
    await Promise.all([tellFormer(identity, takeover), ended(identity, takeover.epoch)]);
  }

  return {
    /** Tells the former owner's node, until Redis has taken the message. Never rejects. */
    tellFormer,

    /** The connection that it was for never came to be. Never rejects. */
    abandoned,

    /** Nobody knows whether this attempt took the station: if it did, that is undone. Never rejects. */
    async uncertain(identity: StationIdentity, attempt: string): Promise<void> {
      const takeover = await insist("attempt not looked up", identity, () => ownership.findAttempt(identity, attempt));
      if (takeover !== undefined) await abandoned(identity, takeover);
    },
  };
}
