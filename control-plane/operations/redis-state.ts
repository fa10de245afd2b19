import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { readInfo } from "./redis-info.ts";
import { mastersOf } from "./redis-masters.ts";

export interface RedisState {
  /** Used memory by the limit, of the master that is fullest; undefined: none has a limit. */
  memoryRatio: number | undefined;
  /** Every master writes its append-only file, and its last write went well. */
  appendsToDisk: boolean;
}

/** How the masters are. Rejects when one does not answer. */
export async function readRedisState(redis: RedisConnection): Promise<RedisState> {
  const infos = await Promise.all(mastersOf(redis).map(async (master) => readInfo(await master.info())));
  const ratios = infos.flatMap((info) => {
    const limit = Number(info.get("maxmemory") ?? 0);
    return limit > 0 ? [Number(info.get("used_memory") ?? 0) / limit] : [];
  });
  return {
    memoryRatio: ratios.length === 0 ? undefined : Math.max(...ratios),
    appendsToDisk: infos.every((info) => info.get("aof_enabled") === "1" && info.get("aof_last_write_status") === "ok"),
  };
}
