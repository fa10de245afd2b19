import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { LANE_END_KEPT_MS, LANE_ENDS } from "@dynamo-csms/proto/redis-keys";
import type { FoundLane } from "./find-lanes.ts";

/** A lane that was deleted, as Redis remembers it. */
interface LaneEnd {
  nodeId: string;
  /** Number of its last entry: all up to it was applied, by a Postgres that perhaps is no more. */
  last: number;
  endedAtMs: number;
}

/** Notes that a lane is about to be deleted. Rejects when Redis is away. */
export async function noteLaneEnd(redis: RedisConnection, laneId: string, end: LaneEnd): Promise<void> {
  await redis.hset(LANE_ENDS, laneId, JSON.stringify(end));
}

/** Takes it back: the lane goes on. */
export async function forgetLaneEnd(redis: RedisConnection, laneId: string): Promise<void> {
  await redis.hdel(LANE_ENDS, laneId);
}

/** The end that was noted of a lane, if one was. Rejects when Redis is away. */
export async function findLaneEnd(redis: RedisConnection, laneId: string): Promise<LaneEnd | undefined> {
  const text = await redis.hget(LANE_ENDS, laneId);
  return text === null ? undefined : readEnd(text);
}

/** Lanes that ended not long ago; forgets older ones. They are no news but to a Postgres that lost their end. */
export async function endedLanes(redis: RedisConnection, now: Date): Promise<FoundLane[]> {
  const found: FoundLane[] = [];
  const old: string[] = [];
  for (const [id, text] of Object.entries(await redis.hgetall(LANE_ENDS))) {
    const end = readEnd(text);
    if (end === undefined || end.endedAtMs < now.getTime() - LANE_END_KEPT_MS) old.push(id);
    else found.push({ id, nodeId: end.nodeId });
  }
  if (old.length > 0) await redis.hdel(LANE_ENDS, ...old);
  return found;
}

function readEnd(text: string): LaneEnd | undefined {
  try {
    const { nodeId, last, endedAtMs } = JSON.parse(text) as Partial<LaneEnd>;
    return typeof nodeId === "string" && typeof last === "number" && typeof endedAtMs === "number"
      ? { nodeId, last, endedAtMs }
      : undefined;
  } catch {
    return undefined;
  }
}
