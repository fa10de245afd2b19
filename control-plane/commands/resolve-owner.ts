import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

/** The node and the connection that a station's socket was last known on. */
export interface Holder {
  nodeId: string;
  epoch: number;
}

/** Who holds a station's socket, as the gateways wrote it. */
export interface Owner extends Holder {
  /** Whether that node's lease stands: without it the node is dead, or Redis has just lost its leases. */
  alive: boolean;
}

/** Asks Redis who holds the station's socket; undefined when nobody does. Throws when Redis is away. */
export async function findHolder(redis: RedisConnection, identity: StationIdentity): Promise<Holder | undefined> {
  const { node, epoch } = (await redis.hgetall(stationOwner(identity))) as { node?: string; epoch?: string };
  // A station that left keeps its epoch, without a node.
  return node === undefined || node === "" || epoch === undefined ? undefined : { nodeId: node, epoch: Number(epoch) };
}

/** The same, and whether that node lives. */
export async function resolveOwner(redis: RedisConnection, identity: StationIdentity): Promise<Owner | undefined> {
  const holder = await findHolder(redis, identity);
  return holder && { ...holder, alive: (await redis.exists(nodeLease(holder.nodeId))) === 1 };
}
