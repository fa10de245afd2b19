import { LANE_PATTERN, lane, laneIdOf } from "@dynamo-csms/proto/redis-keys";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { Cluster } from "ioredis";

interface Deps {
  redis: RedisConnection;
  sql<Row>(text: string, values?: unknown[]): Promise<Row[]>;
}

/**
 * Entries that are in the lanes and not applied. Rejects while Redis or Postgres is away.
 * @param search also for lanes that are not on record yet, among all keys of Redis
 */
export async function entriesBehind({ redis, sql }: Deps, search = true): Promise<number> {
  const rows = await sql<{ id: string; offset: string }>(`select id, "offset" from lanes where finished_at is null`);
  const offsets = new Map(rows.map((row) => [row.id, numberOf(row.offset)]));
  let behind = 0;
  // Also those that are on record: right after a failover a client does not know every master.
  for (const key of new Set([...(search ? await laneKeys(redis) : []), ...rows.map(({ id }) => lane(id))])) {
    const info = (await redis.xinfo("STREAM", key).catch(gone)) as unknown[] | undefined;
    if (info === undefined) continue;
    const last = numberOf(String(info[info.indexOf("last-generated-id") + 1]));
    behind += Math.max(0, last - (offsets.get(laneIdOf(key)) ?? 0));
  }
  return behind;
}

/** A lane that was finished between the two looks. */
function gone(cause: unknown): undefined {
  if (cause instanceof Error && cause.message.includes("no such key")) return undefined;
  throw cause;
}

async function laneKeys(redis: RedisConnection): Promise<string[]> {
  const masters = redis instanceof Cluster ? redis.nodes("master") : [redis];
  const keys = await Promise.all(masters.map((master) => master.keys(LANE_PATTERN)));
  return [...new Set(keys.flat())];
}

const numberOf = (id: string): number => Number(id.slice(0, id.indexOf("-")));
