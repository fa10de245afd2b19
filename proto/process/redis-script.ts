import { createHash } from "node:crypto";

/** What is used of a Redis connection. */
export interface ScriptHost {
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
}

/** Runs a script that Redis knows by its digest, and tells it the script when it does not. Rejects as the connection does. */
type RedisScript = (redis: ScriptHost, keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** A script that is sent once to each server, not with every call. */
export function redisScript(lua: string): RedisScript {
  const sha = createHash("sha1").update(lua).digest("hex");
  return async (redis, keys, args) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      // Nothing was carried out: the server is new, or forgot its scripts.
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return redis.eval(lua, keys.length, ...keys, ...args);
    }
  };
}
