import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { LANES, LEASE_MS, lane, laneLease, nodeLease } from "@dynamo-csms/proto/redis-keys";
import type pg from "pg";
import { inTransaction } from "../database.ts";
import { closeConnectionsOfDeadNode } from "../stations/record-connection.ts";
import { type EntryRange, entryIdOf, FIRST_OFFSET, numberOf } from "./entry-id.ts";
import { findLaneEnd, forgetLaneEnd, noteLaneEnd } from "./lane-ends.ts";
import { type HeldLane, markFinished, moveOffset, recordGap } from "./lane-rows.ts";

// 1: the lane is gone. 0: it has entries beyond our offset, or a writer.
const DELETE = `
if ARGV[2] ~= 'sealed' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+')) > tonumber(ARGV[1]) then return 0 end
  end
  redis.call('DEL', KEYS[1])
end
return 1`;

/**
 * Deletes a lane that is drained and that nobody writes any more: sealed by its writer, or its lease gone. A writer that
 * was only cut off finds its lane gone and opens a new one. The connections of its node end with it when the node is gone
 * too, and only then; so while the node's lease names this lane, nothing is finished: the two leases run out one by one.
 * @param redisUpForMs how long Redis has been reachable and has taken writes: leases that ran out before mean nothing.
 * @returns undefined when the lane goes on. `lost`: what was in it beyond our offset; it was applied and deleted, and Postgres has
 * lost that since. Safe to break off anywhere: a lane that is gone is finished by the next call.
 */
export async function finishLane(
  held: HeldLane,
  redisUpForMs: number,
  deps: { pool: pg.Pool; redis: RedisConnection },
): Promise<{ lost?: EntryRange } | undefined> {
  if (!held.sealed && redisUpForMs < LEASE_MS) return undefined;
  const node = await nodeOf(held, deps.redis);
  if (!held.sealed && node === "writes it") return undefined;
  const lost = await lostEnd(held, deps.redis);
  const offset = numberOf(held.offset);
  const noted = lost === undefined && held.offset !== FIRST_OFFSET;
  // Before the deletion: noted after it, a crash in between would let a restored Postgres believe that nothing is missing.
  if (noted) await noteLaneEnd(deps.redis, held.id, { nodeId: held.nodeId, last: offset, endedAtMs: Date.now() });
  const deleted = await deps.redis.eval(
    DELETE,
    2,
    lane(held.id),
    laneLease(held.id),
    String(offset),
    held.sealed ? "sealed" : "open",
  );
  if (deleted !== 1) {
    if (noted) await forgetLaneEnd(deps.redis, held.id);
    return undefined;
  }
  const finished = await inTransaction(deps.pool, async (sql) => {
    if (lost !== undefined) {
      if (!(await moveOffset(sql, held.id, held.offset, lost.to))) return false;
      await recordGap(sql, held.id, lost);
    }
    if (node === "gone") await closeConnectionsOfDeadNode(sql, held.nodeId);
    await markFinished(sql, held.id);
    return true;
  });
  if (!finished) return undefined;
  await deps.redis.hdel(LANES, held.id);
  return lost === undefined ? {} : { lost };
}

/** What a lane that was deleted held beyond our offset: a Postgres that does not know of its end has lost what was applied. */
async function lostEnd(held: HeldLane, redis: RedisConnection): Promise<EntryRange | undefined> {
  const end = await findLaneEnd(redis, held.id);
  const next = numberOf(held.offset) + 1;
  if (end === undefined || end.last < next || (await redis.exists(lane(held.id))) === 1) return undefined;
  return { from: entryIdOf(next), to: entryIdOf(end.last) };
}

/** What its node's lease says of a lane. A lease that cannot be read is of a node that lives, and perhaps writes it. */
async function nodeOf(held: HeldLane, redis: RedisConnection): Promise<"gone" | "writes it" | "elsewhere"> {
  if (held.nodeId === "") return "elsewhere";
  const lease = await redis.get(nodeLease(held.nodeId));
  if (lease === null) return "gone";
  const laneId = laneIdIn(lease);
  return laneId === undefined || laneId === held.id ? "writes it" : "elsewhere";
}

function laneIdIn(lease: string): string | undefined {
  try {
    const { laneId } = JSON.parse(lease) as { laneId?: unknown };
    return typeof laneId === "string" ? laneId : undefined;
  } catch {
    return undefined;
  }
}
