import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

/** Who holds a station's socket, as the gateways wrote it. */
export interface Owner {
  nodeId: string;
  epoch: number;
  /** Whether that node's lease stands: without it the node is dead, or Redis has just lost its leases. */
  alive: boolean;
}

/** Asks Redis who holds the station's socket; undefined when nobody does. Throws when Redis is away. */
export async function resolveOwner(redis: RedisConnection, identity: StationIdentity): Promise<Owner | undefined> {
  const { node, epoch } = (await redis.hgetall(stationOwner(identity))) as { node?: string; epoch?: string };
  // A station that left keeps its epoch, without a node.
  if (node === undefined || node === "" || epoch === undefined) return undefined;
  return { nodeId: node, epoch: Number(epoch), alive: (await redis.exists(nodeLease(node))) === 1 };
}
