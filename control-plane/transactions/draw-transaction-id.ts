import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { TRANSACTION_IDS } from "@dynamo-csms/proto/redis-keys";
import type { Sql } from "../database.ts";

const NOTED_EVERY = 64;

/**
 * A transaction id of 1.6 that nobody was ever given, not even by commits that Postgres has lost since (ADR 0017). Never
 * given again. Rejects when Postgres is away; or Redis, when this Postgres is another one than before.
 */
export async function drawTransactionId(sql: Sql, redis: RedisConnection): Promise<number> {
  const [id] = await drawTransactionIds(sql, 1, redis);
  return id as number;
}

/** As drawTransactionId, so many of them, each greater than the one before. */
export async function drawTransactionIds(sql: Sql, count: number, redis: RedisConnection): Promise<number[]> {
  if (count === 0) return [];
  const drawn = await draw(sql, null, count);
  const ids = drawn ?? (await draw(sql, await highestGiven(redis), count));
  const [first, last] = [ids?.[0], ids?.at(-1)];
  if (ids === undefined || first === undefined || last === undefined) throw new Error("the sequence gave nothing");
  // Not waited for: it is of use when Postgres loses commits, and the next one says it too.
  const passesNote = Math.floor(last / NOTED_EVERY) > Math.floor((first - 1) / NOTED_EVERY);
  if (drawn === undefined || passesNote) note(redis, last + 2 * NOTED_EVERY).catch(() => {});
  return ids;
}

// The first of them looks whether this is the Postgres that it was, for all: a server does not become another one while it
// runs a statement.
const DRAW = `
select next_ocpp16_transaction_id($1::int) as id
union all select nextval('ocpp16_transaction_ids')::int from generate_series(2, $2::int)`;

/** @param given null: nobody has asked for it. @returns undefined: it has to be asked for; what was drawn is left out. */
async function draw(sql: Sql, given: number | null, count: number): Promise<number[] | undefined> {
  const rows = await sql.query<{ id: number | null }>(DRAW, [given, count]);
  const ids = rows.map(({ id }) => id);
  return ids.every((id) => id !== null) ? ids.toSorted((a, b) => a - b) : undefined;
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
