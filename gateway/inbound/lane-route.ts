import { readSlotOwners, type ClusterTarget, type SlotOwners } from "@dynamo-csms/proto/process/redis-cluster";
import { connectLane, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { RedisAddress, RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import type { Redis } from "ioredis";

/** A connection to the one server that takes a lane's writes: one stream of commands, in order, and WAIT means them. */
export interface LaneRoute {
  readonly connection: Redis;
  /** The server has this key, or would have it. */
  has(key: string): boolean;
}

/**
 * Finds the server that has the lane now, and starts connecting to it. Called anew after each error, because a failover
 * and a resharding move lanes. Rejects when no server tells.
 * @param laneKey undefined: for a lane that is still to begin
 */
export type FindLaneRoute = (laneKey: string | undefined) => Promise<LaneRoute>;

/** @param deps.registry of all lanes; on a cluster it may be on another server than the lane */
export function createLaneRoutes(deps: {
  target: RedisTarget;
  registry: RedisConnection;
  connectionName: string;
}): FindLaneRoute {
  const { target, registry } = deps;
  if (target.kind !== "cluster") return async () => ({ connection: connectLane(target, deps), has: () => true });

  let masters: readonly RedisAddress[] = [];
  let beginnings = 0;
  return async (laneKey) => {
    const owners = await readSlotOwners(target, masters);
    masters = owners.masters;
    let address = laneKey === undefined ? undefined : owners.masterOf(laneKey);
    if (laneKey === undefined) {
      const free = await freestFirst(owners, registry);
      // The next one after a failure: the freest may be so because it is away.
      address = free[beginnings++ % free.length];
    }
    if (address === undefined) throw new Error("no Redis master has the lane's slot");
    return {
      connection: connectLane(nodeOf(target, address), deps),
      has: (key) => owners.masterOf(key) === address,
    };
  };
}

const nodeOf = (cluster: ClusterTarget, address: RedisAddress) => ({ kind: "node", cluster, address }) as const;

/** The masters, those with the fewest lanes first, in random order among the same: few gateways spread over all of them. */
async function freestFirst(owners: SlotOwners, registry: RedisConnection): Promise<RedisAddress[]> {
  // Without the registry any will do: it is a matter of spread, and the lane is registered before it begins.
  const laneIds = await registry.hkeys(LANES).catch(() => []);
  const lanes = new Map(owners.masters.map((master) => [master, Math.random()]));
  for (const laneId of laneIds) {
    const master = owners.masterOf(lane(laneId));
    if (master !== undefined) lanes.set(master, (lanes.get(master) ?? 0) + 1);
  }
  return [...lanes].toSorted(([, a], [, b]) => a - b).map(([master]) => master);
}
