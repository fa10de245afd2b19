import { encodeNodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, stationOwner, stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

/** Who held the station before; node "" when nobody did. */
export interface Takeover {
  epoch: number;
  former: { node: string; epoch: number };
}

export interface OwnershipDeps {
  redis: {
    eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
    spublish(channel: string, message: string): Promise<unknown>;
  };
  nodeId: string;
}

/**
 * The clock makes epochs grow even when Redis lost the former one; the stored one makes them grow even when the clock
 * stepped back. Numbers go out as text: Lua's would be cut to 14 digits. Nothing is taken for a station whose record
 * became another one since it was admitted: its password may have been withdrawn.
 */
const TAKE = `
local rev = tonumber(redis.call('HGET', KEYS[2], 'rev'))
if rev and rev > tonumber(ARGV[2]) then return false end
local former = redis.call('HMGET', KEYS[1], 'node', 'epoch')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = string.format('%.0f', math.max((tonumber(former[2]) or 0) + 1, now))
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', epoch, 'attempt', ARGV[3],
  'formerNode', former[1] or '', 'formerEpoch', former[2] or '0')
return {epoch, former[1] or '', former[2] or '0'}`;

/** What TAKE did in this attempt, if it is still the last word on the station. */
const FIND_ATTEMPT = `
local held = redis.call('HMGET', KEYS[1], 'attempt', 'epoch', 'formerNode', 'formerEpoch')
if held[1] ~= ARGV[1] then return false end
return {held[2], held[3], held[4]}`;

/** The epoch stays, so that the next one is higher; the node goes. */
const RELEASE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'node', 'attempt', 'formerNode', 'formerEpoch')
return 1`;

/** Writes over a missing or older owner only. */
const REASSERT = `
local stored = tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0
if stored > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', ARGV[2])
return 1`;

export type StationOwnership = ReturnType<typeof createStationOwnership>;

/** One owner per station, fenced by epoch (I4). Every function rejects when Redis is away. */
export function createStationOwnership({ redis, nodeId }: OwnershipDeps) {
  let attempts = 0;
  return {
    /** A name for one call of `take`. */
    newAttempt: (): string => `${nodeId} ${++attempts}`,

    /**
     * Makes this node the owner and gives the new connection its epoch: higher than every earlier one of the station.
     * Undefined: the station's record is newer than `admittedRev`; nothing was taken. Rejected, it may have been carried
     * out all the same: `findAttempt` tells.
     */
    async take(identity: StationIdentity, admittedRev: number, attempt: string): Promise<Takeover | undefined> {
      const keys = [stationOwner(identity), stationRecord(identity)];
      return takeoverOf(await redis.eval(TAKE, 2, ...keys, nodeId, admittedRev, attempt));
    },

    /** What an attempt took whose answer was lost. Undefined: nothing, or others have the station since. */
    async findAttempt(identity: StationIdentity, attempt: string): Promise<Takeover | undefined> {
      return takeoverOf(await redis.eval(FIND_ATTEMPT, 1, stationOwner(identity), attempt));
    },

    /** Ends the ownership of this very connection. False: a newer one has the station already; nothing was changed. */
    async release(identity: StationIdentity, epoch: number): Promise<boolean> {
      return (await redis.eval(RELEASE, 1, stationOwner(identity), epoch)) === 1;
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

function takeoverOf(reply: unknown): Takeover | undefined {
  if (reply === null) return undefined;
  const [epoch, node, formerEpoch] = reply as [string, string, string];
  return { epoch: Number(epoch), former: { node, epoch: Number(formerEpoch) } };
}
