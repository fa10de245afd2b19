import { stationRecord, unknownStation } from "@dynamo-csms/proto/redis-keys";
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
  redis: {
    hget(key: string, field: string): Promise<string | null>;
    get(key: string): Promise<string | null>;
    set(key: string, value: string, px: "PX", ms: number): Promise<unknown>;
  };
  /** The control plane's word on a station that Redis does not know. Never rejects. */
  lookup(
    identity: StationIdentity,
  ): Promise<{ kind: "found"; record: StationRecord } | { kind: "unknown" } | { kind: "unavailable"; reason: string }>;
  /** Takes from the budget of lookups for this address. False: it is used up. */
  mayLookUp(address: string): boolean;
  log: Logger;
}

/** How long "no such station" is believed. Registering one clears it at once. */
const UNKNOWN_MS = 5_000;

/** Finds a station's record: Redis, else the control plane, asked once for all who wait for the same identity. Never rejects. */
export function createStationDirectory(
  deps: DirectoryDeps,
): (identity: StationIdentity, address: string) => Promise<DirectoryAnswer> {
  const lookups = new Map<StationIdentity, Promise<DirectoryAnswer>>();

  return async (identity, address) => {
    let record: string | null;
    let unknown: string | null;
    try {
      // One round trip for both; a record wins over a late "unknown".
      [record, unknown] = await Promise.all([
        deps.redis.hget(stationRecord(identity), "record"),
        deps.redis.get(unknownStation(identity)),
      ]);
    } catch (error) {
      deps.log.warn({ error: (error as Error).message }, "station record could not be read");
      return { kind: "away", what: "storage" };
    }
    if (record !== null) return readRecord(identity, record, deps);
    if (unknown !== null) return { kind: "unknown" };

    const underWay = lookups.get(identity);
    if (underWay !== undefined) return underWay;
    if (!deps.mayLookUp(address)) return { kind: "limited" };
    const lookup = askControlPlane(identity, deps).finally(() => lookups.delete(identity));
    lookups.set(identity, lookup);
    return lookup;
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
  if (answer.kind === "unknown") {
    // Not remembered: the next attempt asks again, no harm done.
    await deps.redis
      .set(unknownStation(identity), "1", "PX", UNKNOWN_MS)
      .catch((error: Error) => deps.log.warn({ error: error.message }, "unknown station could not be remembered"));
  }
  return answer;
}
