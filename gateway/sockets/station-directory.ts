import { unknownStation } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { decodeStationRecord, type StationRecord } from "@dynamo-csms/proto/station-record";
import type { Logger } from "pino";

/** What the directory found: the record, surely no such station, or why it cannot say. */
export type DirectoryAnswer =
  | { kind: "found"; record: StationRecord }
  | { kind: "unknown" }
  | { kind: "away"; what: "storage" | "control-plane" }
  | { kind: "limited" };

export interface DirectoryDeps {
  /** The record as it stands in Redis. Rejects when Redis is away. */
  readRecord(identity: StationIdentity): Promise<string | null>;
  redis: {
    get(key: string): Promise<string | null>;
    set(key: string, value: string, px: "PX", ms: number): Promise<unknown>;
  };
  /** The control plane's word on a station that Redis does not know. Never rejects. */
  lookup(
    identity: StationIdentity,
  ): Promise<{ kind: "found"; record: StationRecord } | { kind: "unknown" } | { kind: "unavailable"; reason: string }>;
  /** Takes from the budget of lookups. False: it is used up. */
  mayLookUp(): boolean;
  log: Logger;
}

export interface StationDirectory {
  /**
   * Finds a station's record: Redis, else, where whoever asks may have it looked up, the control plane, asked once for all
   * who wait for the same identity. Never rejects.
   */
  find(identity: StationIdentity, mayLookUp: boolean): Promise<DirectoryAnswer>;
  /**
   * What `find` would say, and would take the time for, had Redis no record of this station: to answer whoever fails to be a
   * known one like whoever claims to be an unknown one. Anything but "away" and "limited" stands for "unknown". Never rejects.
   */
  findUnrecorded(identity: StationIdentity, mayLookUp: boolean): Promise<DirectoryAnswer>;
}

/** How long the answer of a lookup is believed. Registering a station clears it at once. */
const LOOKED_UP_MS = 5_000;
/** What is remembered of a lookup. The second counts for `findUnrecorded` alone: only a record lets a station in. */
const UNKNOWN = "1";
const FOUND = "found";

/** The directory of one process. */
export function createStationDirectory(deps: DirectoryDeps): StationDirectory {
  const lookups = new Map<StationIdentity, Promise<DirectoryAnswer>>();

  /** Undefined: Redis is away. */
  async function readRedis<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      deps.log.warn({ error: (error as Error).message }, "station record could not be read");
      return undefined;
    }
  }

  async function lookUp(identity: StationIdentity, mayLookUp: boolean): Promise<DirectoryAnswer> {
    const underWay = lookups.get(identity);
    if (underWay !== undefined) return underWay;
    if (!mayLookUp || !deps.mayLookUp()) return { kind: "limited" };
    const lookup = askControlPlane(identity, deps).finally(() => lookups.delete(identity));
    lookups.set(identity, lookup);
    return lookup;
  }

  return {
    async find(identity, mayLookUp) {
      // A record wins over a late "unknown", which is asked for as late here as by `findUnrecorded`.
      const record = await readRedis(() => deps.readRecord(identity));
      if (record === undefined) return { kind: "away", what: "storage" };
      if (record !== null) return readRecord(identity, record, deps);
      const lookedUp = await readRedis(() => deps.redis.get(unknownStation(identity)));
      if (lookedUp === undefined) return { kind: "away", what: "storage" };
      return lookedUp === UNKNOWN ? { kind: "unknown" } : lookUp(identity, mayLookUp);
    },

    async findUnrecorded(identity, mayLookUp) {
      const lookedUp = await readRedis(() => deps.redis.get(unknownStation(identity)));
      if (lookedUp === undefined) return { kind: "away", what: "storage" };
      return lookedUp === null ? lookUp(identity, mayLookUp) : { kind: "unknown" };
    },
  };
}

function readRecord(identity: StationIdentity, text: string, deps: DirectoryDeps): DirectoryAnswer {
  try {
    return { kind: "found", record: decodeStationRecord(text) };
  } catch (error) {
    // Written by a newer release: the station waits until this gateway is upgraded too.
    deps.log.error({ station: identity, error: (error as Error).message }, "station record cannot be read");
    return { kind: "away", what: "control-plane" };
  }
}

async function askControlPlane(identity: StationIdentity, deps: DirectoryDeps): Promise<DirectoryAnswer> {
  const answer = await deps.lookup(identity);
  if (answer.kind === "unavailable") {
    deps.log.warn({ station: identity, reason: answer.reason }, "station could not be looked up");
    return { kind: "away", what: "control-plane" };
  }
  // Not remembered: the next attempt asks again, no harm done.
  await deps.redis
    .set(unknownStation(identity), answer.kind === "unknown" ? UNKNOWN : FOUND, "PX", LOOKED_UP_MS)
    .catch((error: Error) => deps.log.warn({ error: error.message }, "a lookup could not be remembered"));
  return answer;
}
