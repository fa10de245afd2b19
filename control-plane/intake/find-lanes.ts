import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { LANE_PATTERN, LANES, laneIdOf, laneLease } from "@dynamo-csms/proto/redis-keys";
import { Cluster } from "ioredis";

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

/** Every lane that exists, found by SCAN on all masters: for those that the registry lost. */
export async function existingLanes(redis: RedisConnection): Promise<FoundLane[]> {
  const masters = redis instanceof Cluster ? redis.nodes("master") : [redis];
  const ids = new Set<string>();
  for (const master of masters) {
    let cursor = "0";
    do {
      const [next, keys] = await master.scan(cursor, "MATCH", LANE_PATTERN, "COUNT", 1_000);
      for (const key of keys) ids.add(laneIdOf(key));
      cursor = next;
    } while (cursor !== "0");
  }
  return Promise.all([...ids].map(async (id) => ({ id, nodeId: (await redis.get(laneLease(id))) ?? "" })));
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
