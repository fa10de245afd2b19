import { encodeNodeMessage } from "@dynamo-csms/proto/command-message";
import {
  nodeCommands,
  stationFlaps,
  stationOwner,
  stationRecord,
  stationTakeovers,
} from "@dynamo-csms/proto/redis-keys";
import type { ScriptHost } from "@dynamo-csms/proto/process/redis-script";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { batchPerTurn } from "../turn-batch.ts";
import { FIND_ATTEMPT, REASSERT, RELEASE, TAKE } from "./ownership-scripts.ts";

/** Who held the station before; node "" when nobody did. */
export interface Takeover {
  epoch: number;
  former: { node: string; epoch: number };
}

/** Whoever holds the station was taken over too often of late: nothing was taken. */
export interface Contested {
  node: string;
  epoch: number;
  /** Within TAKEOVER_WINDOW_MS. */
  takeovers: number;
}

/**
 * How an ended connection counts for its station. "short": it left soon, of its own doing; "lasting": it had stayed;
 * "neither": it was ended by us, or nobody knows.
 */
export type Stay = "short" | "lasting" | "neither";

export type TakeOutcome =
  | { kind: "taken"; takeover: Takeover }
  /** The station's record is newer than the one that the newcomer was admitted by. */
  | { kind: "recordChanged" }
  | { kind: "contested"; by: Contested }
  /** The station connected and left too often: it has to stay away for this long. */
  | { kind: "flapping"; times: number; waitMs: number };

export interface TakeRequest {
  attempt: string;
  /** Of the record by which the newcomer was admitted. */
  admittedRev: number;
  remoteAddress: string;
  /** Of a connection that was asked and did not answer: it holds nobody up any more. 0: none. */
  deadEpoch: number;
}

export interface OwnershipDeps {
  redis: ScriptHost & { spublish(channel: string, message: string): Promise<unknown> };
  nodeId: string;
  /** Stations in one command; 1 where their keys are on different servers. */
  atOnce: number;
  /** So many short connections in a row are nobody's concern. 0: none ever is. */
  flappingConnections: number;
}

/** What a station has to wait since its last short connection: doubled with each one past those allowed. */
const FIRST_FLAP_WAIT_MS = 15_000;
const MAX_FLAP_WAIT_MS = 180_000;
/** A station that did not leave within this time after it did begins anew. */
const FLAPS_KEPT_MS = 600_000;

/** So many takeovers within the window are nobody's concern: a station behind a bad line reconnects before its old socket is found dead. */
export const TAKEOVERS_ALLOWED = 3;
export const TAKEOVER_WINDOW_MS = 600_000;

export type StationOwnership = ReturnType<typeof createStationOwnership>;

/** The answer of a script for one station: what became of it, and facts. */
type Answer = readonly [kind: string, ...facts: string[]];

/** One owner per station, fenced by epoch (I4). Every function rejects when Redis is away. */
export function createStationOwnership({ redis, nodeId, atOnce, flappingConnections }: OwnershipDeps) {
  let attempts = 0;
  const limits = [TAKEOVER_WINDOW_MS, TAKEOVERS_ALLOWED, flappingConnections, FIRST_FLAP_WAIT_MS, MAX_FLAP_WAIT_MS];

  const take = batchPerTurn<{ identity: StationIdentity; request: TakeRequest }, Answer>(atOnce, async (asked) => {
    const keys = asked.flatMap(({ identity }) => [
      stationOwner(identity),
      stationRecord(identity),
      stationTakeovers(identity),
      stationFlaps(identity),
    ]);
    const each = asked.flatMap(({ request: { attempt, admittedRev, remoteAddress, deadEpoch } }) => [
      admittedRev,
      attempt,
      remoteAddress,
      deadEpoch,
    ]);
    return answersOf(await TAKE(redis, keys, [nodeId, ...limits, ...each]));
  });

  const release = batchPerTurn<{ identity: StationIdentity; epoch: number; stay: Stay }, Answer>(
    atOnce,
    async (asked) => {
      const keys = asked.flatMap(({ identity }) => [stationOwner(identity), stationFlaps(identity)]);
      const each = asked.flatMap(({ epoch, stay }) => [epoch, stay]);
      return answersOf(await RELEASE(redis, keys, [FLAPS_KEPT_MS, ...each]));
    },
  );

  const reassert = batchPerTurn<{ identity: StationIdentity; epoch: number }, Answer>(atOnce, async (asked) => {
    const keys = asked.map(({ identity }) => stationOwner(identity));
    return answersOf(await REASSERT(redis, keys, [nodeId, ...asked.map(({ epoch }) => epoch)]));
  });

  return {
    /** A name for one call of `take`. */
    newAttempt: (): string => `${nodeId} ${++attempts}`,

    /**
     * Makes this node the owner and gives the new connection its epoch: higher than every earlier one of the station.
     * Rejected, it may have been carried out all the same: `findAttempt` tells.
     */
    async take(identity: StationIdentity, request: TakeRequest): Promise<TakeOutcome> {
      const [kind, ...facts] = await take({ identity, request });
      switch (kind as TakeOutcome["kind"]) {
        case "taken":
          return { kind: "taken", takeover: takeoverOf(facts) };
        case "contested":
          return {
            kind: "contested",
            by: { node: facts[0] ?? "", epoch: Number(facts[1]), takeovers: Number(facts[2]) },
          };
        case "flapping":
          return { kind: "flapping", times: Number(facts[0]), waitMs: Number(facts[1]) };
        case "recordChanged":
          return { kind: "recordChanged" };
      }
    },

    /** What an attempt took whose answer was lost. Undefined: nothing, or others have the station since. */
    async findAttempt(identity: StationIdentity, attempt: string): Promise<Takeover | undefined> {
      const reply = await FIND_ATTEMPT(redis, [stationOwner(identity)], [attempt]);
      return reply === null ? undefined : takeoverOf(reply as string[]);
    },

    /** Ends the ownership of this very connection. False: a newer one has the station already; nothing was changed. */
    release: async (identity: StationIdentity, epoch: number, stay: Stay): Promise<boolean> =>
      (await release({ identity, epoch, stay }))[0] === "done",

    /** Says again that this node holds the station with this epoch. False: a newer connection has it; ours must be closed. */
    reassert: async (identity: StationIdentity, epoch: number): Promise<boolean> =>
      (await reassert({ identity, epoch }))[0] === "done",

    /** Tells the former owner's node to close its socket. Nobody there: the node is gone, and its socket with it. */
    async tellFormer(identity: StationIdentity, takeover: Takeover): Promise<void> {
      if (takeover.former.node === "" || takeover.former.node === nodeId) return;
      await redis.spublish(
        nodeCommands(takeover.former.node),
        encodeNodeMessage({ v: 1, kind: "close", identity, belowEpoch: takeover.epoch, reason: "superseded" }),
      );
    },
  };
}

function takeoverOf([epoch, node = "", formerEpoch]: readonly string[]): Takeover {
  return { epoch: Number(epoch), former: { node, epoch: Number(formerEpoch) } };
}

/** What went wrong with one station of a batch is its own. */
const answersOf = (reply: unknown): (Answer | Error)[] =>
  (reply as Answer[]).map((answer) => (answer[0] === "failed" ? new Error(answer[1]) : answer));
