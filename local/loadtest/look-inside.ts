import { createLogger } from "@dynamo-csms/proto/process/logger";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import pg from "pg";
import { entriesBehind } from "../faults/system/lanes.ts";
import type { LoadedSystem } from "./start-system.ts";

/** The judge's own connections to the system's databases. */
export function lookInside({
  redisUrl,
  databaseUrl,
}: {
  redisUrl: string;
  databaseUrl: string;
}): Pick<LoadedSystem, "sql" | "entriesBehind" | "close"> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  pool.on("error", () => {});
  const log = createLogger("fatal", "loadtest");
  const redis = connectRedis(parseRedisTarget(redisUrl), "commands", { connectionName: "loadtest", log });
  const sql = async <Row>(text: string, values: unknown[] = []) => (await pool.query(text, values)).rows as Row[];
  return {
    sql,
    entriesBehind: (search) => entriesBehind({ redis, sql }, search),
    async close() {
      redis.disconnect();
      await pool.end();
    },
  };
}
