import { redisScript, type ScriptHost } from "@dynamo-csms/proto/process/redis-script";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { batchPerTurn } from "../turn-batch.ts";

/** A key that holds something else must not fail those that are read with it. Says that it writes nothing: it runs where writes may not. */
const READ = redisScript(`#!lua flags=no-writes
local records = {}
for at, key in ipairs(KEYS) do records[at] = redis.pcall('HGET', key, 'record') end
return records`);

type ReadRecord = (identity: StationIdentity) => Promise<string | null>;

/**
 * Reads stations' records as they stand in Redis, those of one turn of the event loop together. Null: there is none. Rejects
 * when Redis is away.
 * @param atOnce 1 where stations' keys are on different servers
 */
export const createReadRecord = (redis: ScriptHost, atOnce: number): ReadRecord =>
  batchPerTurn<StationIdentity, string | null>(
    atOnce,
    async (identities) => (await READ(redis, identities.map(stationRecord), [])) as (string | null | Error)[],
  );
