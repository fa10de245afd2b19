import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { isOutage } from "../http/outage.ts";

/**
 * Which of these stations are connected now: somebody holds the socket, and that node's lease stands.
 * Undefined when Redis cannot be asked: then nobody knows, and what Postgres knows can still be shown.
 */
export async function connectedNow(
  redis: RedisConnection,
  identities: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  try {
    // One command per station, not one pipeline: on a cluster the keys lie on different masters.
    const owners = await Promise.all(
      identities.map((identity) => redis.hget(stationOwner(identity as StationIdentity), "node")),
    );
    const nodes = [...new Set(owners.filter((node): node is string => node !== null && node !== ""))];
    const alive = new Set<string>();
    await Promise.all(nodes.map(async (node) => (await redis.exists(nodeLease(node))) === 1 && alive.add(node)));
    return new Set(identities.filter((_, index) => alive.has(owners[index] ?? "")));
  } catch (fault) {
    if (isOutage(fault)) return undefined;
    throw fault;
  }
}
