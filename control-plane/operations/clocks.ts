import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { Sql } from "../database.ts";
import { mastersOf } from "./redis-masters.ts";

export interface ClockReading {
  server: "redis" | "postgres";
  /** How far its clock is ahead of this machine's, ms; negative: behind. Less than the way there and back is no difference. */
  aheadMs: number;
}

/** Asks the servers for the time: Postgres, and of the Redis masters the one that is furthest off. Rejects when one does not answer. */
export async function readClocks({ sql, redis }: { sql: Sql; redis: RedisConnection }): Promise<ClockReading[]> {
  const postgres = await difference(async () => {
    const [row] = await sql.query<{ ms: number }>(`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`);
    return row?.ms ?? Date.now();
  });
  const masters = await Promise.all(
    mastersOf(redis).map((master) =>
      difference(async () => {
        const [seconds, micros] = (await master.time()) as unknown as [string, string];
        return Number(seconds) * 1_000 + Number(micros) / 1_000;
      }),
    ),
  );
  const furthest = masters.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most), 0);
  return [
    { server: "redis", aheadMs: furthest },
    { server: "postgres", aheadMs: postgres },
  ];
}

/** The other clock less ours, as far as the time on the way does not explain it. */
async function difference(ask: () => Promise<number>): Promise<number> {
  const before = Date.now();
  const there = await ask();
  const after = Date.now();
  if (there < before) return there - before;
  return there > after ? there - after : 0;
}
