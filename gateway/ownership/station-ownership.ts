import { encodeNodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, stationOwner } from "@dynamo-csms/proto/redis-keys";
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
 * stepped back. Numbers go out as text: Lua's would be cut to 14 digits.
 */
const TAKE = `
local former = redis.call('HMGET', KEYS[1], 'node', 'epoch')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = string.format('%.0f', math.max((tonumber(former[2]) or 0) + 1, now))
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', epoch)
return {epoch, former[1] or '', former[2] or '0'}`;

/** The epoch stays, so that the next one is higher; the node goes. */
const RELEASE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'node')
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
  return {
    /** Makes this node the owner and gives the new connection its epoch: higher than every earlier one of the station. */
    async take(identity: StationIdentity): Promise<Takeover> {
      const [epoch, node, formerEpoch] = (await redis.eval(TAKE, 1, stationOwner(identity), nodeId)) as [
        string,
        string,
        string,
      ];
      return { epoch: Number(epoch), former: { node, epoch: Number(formerEpoch) } };
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
