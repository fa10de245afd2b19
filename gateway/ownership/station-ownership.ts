import { encodeNodeMessage } from "@dynamo-csms/proto/command-message";
import {
  nodeCommands,
  stationFlaps,
  stationOwner,
  stationRecord,
  stationTakeovers,
} from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

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
  redis: {
    eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
    spublish(channel: string, message: string): Promise<unknown>;
  };
  nodeId: string;
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

/**
 * The clock makes epochs grow even when Redis lost the former one; the stored one makes them grow even when the clock
 * stepped back. Numbers go out as text: Lua's would be cut to 14 digits. Nothing is taken for a station whose record
 * became another one since it was admitted: its password may have been withdrawn. And nothing is taken from a connection
 * that may be alive when there were too many takeovers of late, or when two addresses take the station from each other.
 *
 * And a station that connects and leaves, again and again, waits before it is let in once more. Only while its last
 * connection was one of those: what ended otherwise since (a deploy, a node that died) holds nobody up.
 */
const TAKE = `
local rev = tonumber(redis.call('HGET', KEYS[2], 'rev'))
if rev and rev > tonumber(ARGV[2]) then return {'recordChanged'} end
local former = redis.call('HMGET', KEYS[1], 'node', 'epoch')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local flaps = redis.call('HMGET', KEYS[4], 'times', 'endedAt', 'admittedAt')
local tooMany = (tonumber(flaps[1]) or 0) - tonumber(ARGV[8])
if tonumber(ARGV[8]) > 0 and tooMany > 0 and not flaps[3] then
  local wait = math.min(tonumber(ARGV[9]) * 2 ^ math.min(tooMany - 1, 20), tonumber(ARGV[10]))
  local left = math.min(tonumber(flaps[2]) + wait - now, wait)
  if left > 0 then return {'flapping', flaps[1], string.format('%.0f', left)} end
end
if former[1] then
  local from = {}
  for _, entry in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
    local at, address = string.match(entry, '^(%d+) (.*)$')
    if tonumber(at) > now - tonumber(ARGV[6]) then from[#from + 1] = address end
  end
  local alternating = #from >= 2 and from[1] ~= ARGV[4] and from[2] == ARGV[4]
  if (#from >= tonumber(ARGV[7]) or alternating) and former[2] ~= ARGV[5] then
    return {'contested', former[1], former[2], tostring(#from)}
  end
  redis.call('LPUSH', KEYS[3], string.format('%.0f', now) .. ' ' .. ARGV[4])
  redis.call('LTRIM', KEYS[3], 0, 9)
  redis.call('PEXPIRE', KEYS[3], ARGV[6])
end
local epoch = string.format('%.0f', math.max((tonumber(former[2]) or 0) + 1, now))
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', epoch, 'attempt', ARGV[3],
  'formerNode', former[1] or '', 'formerEpoch', former[2] or '0')
if flaps[1] then redis.call('HSET', KEYS[4], 'admittedAt', string.format('%.0f', now)) end
return {'taken', epoch, former[1] or '', former[2] or '0'}`;

/** What TAKE did in this attempt, if it is still the last word on the station. */
const FIND_ATTEMPT = `
local held = redis.call('HMGET', KEYS[1], 'attempt', 'epoch', 'formerNode', 'formerEpoch')
if held[1] ~= ARGV[1] then return false end
return {held[2], held[3], held[4]}`;

/** The epoch stays, so that the next one is higher; the node goes. */
const RELEASE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'node', 'attempt', 'formerNode', 'formerEpoch')
if ARGV[2] == 'short' then
  local time = redis.call('TIME')
  redis.call('HINCRBY', KEYS[2], 'times', 1)
  redis.call('HSET', KEYS[2], 'endedAt', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
  redis.call('HDEL', KEYS[2], 'admittedAt')
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
elseif ARGV[2] == 'lasting' then
  redis.call('DEL', KEYS[2])
end
return 1`;

/** Writes over a missing or older owner only. */
const REASSERT = `
local stored = tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0
if stored > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', ARGV[2])
return 1`;

export type StationOwnership = ReturnType<typeof createStationOwnership>;

/** One owner per station, fenced by epoch (I4). Every function rejects when Redis is away. */
export function createStationOwnership({ redis, nodeId, flappingConnections }: OwnershipDeps) {
  let attempts = 0;
  return {
    /** A name for one call of `take`. */
    newAttempt: (): string => `${nodeId} ${++attempts}`,

    /**
     * Makes this node the owner and gives the new connection its epoch: higher than every earlier one of the station.
     * Rejected, it may have been carried out all the same: `findAttempt` tells.
     */
    async take(identity: StationIdentity, request: TakeRequest): Promise<TakeOutcome> {
      const { attempt, admittedRev, remoteAddress, deadEpoch } = request;
      const keys = [
        stationOwner(identity),
        stationRecord(identity),
        stationTakeovers(identity),
        stationFlaps(identity),
      ];
      const limits = [TAKEOVER_WINDOW_MS, TAKEOVERS_ALLOWED, flappingConnections, FIRST_FLAP_WAIT_MS, MAX_FLAP_WAIT_MS];
      const reply = await redis.eval(
        TAKE,
        4,
        ...keys,
        nodeId,
        admittedRev,
        attempt,
        remoteAddress,
        deadEpoch,
        ...limits,
      );
      const [kind, ...facts] = reply as [TakeOutcome["kind"], ...string[]];
      switch (kind) {
        case "taken":
          return { kind, takeover: takeoverOf(facts) };
        case "contested":
          return { kind, by: { node: facts[0] ?? "", epoch: Number(facts[1]), takeovers: Number(facts[2]) } };
        case "flapping":
          return { kind, times: Number(facts[0]), waitMs: Number(facts[1]) };
        case "recordChanged":
          return { kind };
      }
    },

    /** What an attempt took whose answer was lost. Undefined: nothing, or others have the station since. */
    async findAttempt(identity: StationIdentity, attempt: string): Promise<Takeover | undefined> {
      const reply = await redis.eval(FIND_ATTEMPT, 1, stationOwner(identity), attempt);
      return reply === null ? undefined : takeoverOf(reply as string[]);
    },

    /** Ends the ownership of this very connection. False: a newer one has the station already; nothing was changed. */
    async release(identity: StationIdentity, epoch: number, stay: Stay): Promise<boolean> {
      const keys = [stationOwner(identity), stationFlaps(identity)];
      return (await redis.eval(RELEASE, 2, ...keys, epoch, stay, FLAPS_KEPT_MS)) === 1;
    },

    /** Says again that this node holds the station with this epoch. False: a newer connection has it; ours must be closed. */
    async reassert(identity: StationIdentity, epoch: number): Promise<boolean> {
      return (await redis.eval(REASSERT, 1, stationOwner(identity), nodeId, epoch)) === 1;
    },

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
