import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { TRANSACTION_IDS } from "@dynamo-csms/proto/redis-keys";
import type { Sql } from "../database.ts";

const NOTED_EVERY = 64;

/**
 * A transaction id of 1.6 that nobody was ever given, not even by commits that Postgres has lost since (ADR 0017). Never
 * given again. Rejects when Postgres is away; or Redis, when this Postgres is another one than before.
 */
export async function drawTransactionId(sql: Sql, redis: RedisConnection): Promise<number> {
  const drawn = await draw(sql, null);
  const id = drawn ?? (await draw(sql, await highestGiven(redis)));
  if (id === null) throw new Error("the sequence gave nothing");
  // Not waited for: it is of use when Postgres loses commits, and the next one says it too.
  if (drawn === null || id % NOTED_EVERY === 0) note(redis, id + 2 * NOTED_EVERY).catch(() => {});
  return id;
}

/** @param given null: nobody has asked for it. @returns null: it has to be asked for. */
async function draw(sql: Sql, given: number | null): Promise<number | null> {
  const [row] = await sql.query<{ id: number | null }>("select next_ocpp16_transaction_id($1::int) as id", [given]);
  return row?.id ?? null;
}

const RAISE = `
local noted = tonumber(redis.call('GET', KEYS[1]) or '0')
if noted < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end`;

const note = (redis: RedisConnection, id: number) => redis.eval(RAISE, 1, TRANSACTION_IDS, String(id));

/** No id above it was given, as far as Redis knows; 0: it knows of none. Rejects when Redis is away. */
export async function highestGiven(redis: RedisConnection): Promise<number> {
  const noted = Number((await redis.get(TRANSACTION_IDS)) ?? 0);
  return Number.isSafeInteger(noted) ? noted : 0;
}
