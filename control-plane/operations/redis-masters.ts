import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { Cluster, type Redis } from "ioredis";

/** The servers that take writes: all masters of a cluster, or the one that the connection leads to. */
export const mastersOf = (redis: RedisConnection): Redis[] =>
  redis instanceof Cluster ? redis.nodes("master") : [redis];

/** Every key that matches, over all masters. SCAN walks the whole keyspace: for people, not for every second. */
export async function keysLike(redis: RedisConnection, pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for (const master of mastersOf(redis)) {
    let cursor = "0";
    do {
      const [next, keys] = await master.scan(cursor, "MATCH", pattern, "COUNT", 1_000);
      for (const key of keys) found.add(key);
      cursor = next;
    } while (cursor !== "0");
  }
  return [...found];
}
