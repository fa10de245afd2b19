import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { LANE_PATTERN, LANES, laneIdOf, laneLease } from "@dynamo-csms/proto/redis-keys";
import { Cluster, type Redis } from "ioredis";

export interface FoundLane {
  id: string;
  /** The writer's node id; "" where nobody knows any more. */
  nodeId: string;
}

/** The lanes that their writers registered. */
export async function registeredLanes(redis: RedisConnection): Promise<FoundLane[]> {
  const fields = await redis.hgetall(LANES);
  return Object.entries(fields).map(([id, text]) => ({ id, nodeId: nodeIdIn(text) }));
}

/**
 * Every lane that exists, found by SCAN on all masters: for those that the registry lost. Lanes of a master that is away
 * are left out; they cannot be read either. Rejects when all are.
 */
export async function existingLanes(redis: RedisConnection): Promise<FoundLane[]> {
  const masters = redis instanceof Cluster ? redis.nodes("master") : [redis];
  const scans = await Promise.allSettled(masters.map(lanesOn));
  const failed = scans.find((scan) => scan.status === "rejected");
  if (failed !== undefined && scans.every(({ status }) => status === "rejected")) throw failed.reason;
  const ids = new Set(scans.flatMap((scan) => (scan.status === "fulfilled" ? scan.value : [])));
  return Promise.all([...ids].map(async (id) => ({ id, nodeId: (await redis.get(laneLease(id))) ?? "" })));
}

async function lanesOn(master: Redis): Promise<string[]> {
  const ids: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = await master.scan(cursor, "MATCH", LANE_PATTERN, "COUNT", 1_000);
    ids.push(...keys.map(laneIdOf));
    cursor = next;
  } while (cursor !== "0");
  return ids;
}

/** A registration that cannot be read still names a lane. */
function nodeIdIn(text: string): string {
  try {
    const { nodeId } = JSON.parse(text) as { nodeId?: unknown };
    return typeof nodeId === "string" ? nodeId : "";
  } catch {
    return "";
  }
}
