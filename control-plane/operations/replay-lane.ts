import { setTimeout as sleep } from "node:timers/promises";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { lane } from "@dynamo-csms/proto/redis-keys";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { Sql } from "../database.ts";
import { entryIdOf, numberOf } from "../intake/entry-id.ts";
import { HOLD_MS } from "../intake/lane-rows.ts";

/** Within this an intake that drained the lane has noticed that it is no longer its own, and trims it no more. */
const LET_GO_MS = HOLD_MS / 2;
/** Nobody takes the lane while this runs. If it dies, the lane is free again after this. */
const KEPT_MS = 2 * HOLD_MS;

export interface Replayed {
  /** The first entry that is applied once more. */
  firstEntry: string;
  entries: number;
  formerOffset: string;
}

/**
 * Sets a lane's offset back, so that the intake reads once more what Redis still has of it. Everything has its effect once
 * under its business key, as after a Postgres that lost its last commits. Takes some seconds: who drains the lane has to let
 * go of it first, because it would trim what is to be read. Errors are for a person. Rejects when Redis or Postgres is away:
 * then the lane goes on within KEPT_MS, from its former offset or from the one that was asked for.
 * @param from entry id; undefined: the oldest that Redis has.
 */
export async function replayLane(
  { sql, redis }: { sql: Sql; redis: RedisConnection },
  laneId: string,
  from: string | undefined,
  letGoMs = LET_GO_MS,
): Promise<Result<Replayed, string>> {
  const [row] = await sql.query<{ offset: string; finished: boolean }>(
    `select "offset", finished_at is not null as finished from lanes where id = $1`,
    [laneId],
  );
  if (row === undefined) return err(`there is no lane ${laneId}: \`lanes list --all\` shows them`);
  if (row.finished) return err(`the lane ${laneId} is finished: Redis has nothing of it any more`);
  const oldest = await firstEntryOf(redis, laneId);
  if (oldest === undefined) return err(`Redis has nothing of the lane ${laneId}`);
  const first = Math.max(oldest, from === undefined ? 0 : numberOf(from));
  if (from !== undefined && numberOf(from) < oldest)
    return err(`Redis has nothing of the lane ${laneId} before ${entryIdOf(oldest)}: it was applied and trimmed`);
  if (first > numberOf(row.offset)) return err(`everything from ${entryIdOf(first)} on waits to be applied anyway`);

  // Another offset than it left is what an intake at work notices, another holder one that waits (lane-rows.ts).
  const me = `replay ${process.pid}`;
  const [taken] = await sql.query<{ former: string }>(
    `update lanes set "offset" = $2, holder = $3, held_until = now() + $4 * interval '1 millisecond'
     from (select "offset" as former from lanes where id = $1 for update) as before
     where id = $1 and finished_at is null returning before.former`,
    [laneId, entryIdOf(first - 1), me, KEPT_MS],
  );
  if (taken === undefined) return err(`the lane ${laneId} was finished just now`);
  await sleep(letGoMs);
  // What was trimmed in the meantime had been applied: it is no gap.
  const start = Math.max(first, (await firstEntryOf(redis, laneId)) ?? numberOf(taken.former) + 1);
  await sql.query(`update lanes set "offset" = $3, holder = null, held_until = null where id = $1 and holder = $2`, [
    laneId,
    me,
    entryIdOf(start - 1),
  ]);
  const entries = numberOf(taken.former) - start + 1;
  return ok({ firstEntry: entryIdOf(start), entries: Math.max(0, entries), formerOffset: taken.former });
}

/** The number of the oldest entry that Redis has. */
async function firstEntryOf(redis: RedisConnection, laneId: string): Promise<number | undefined> {
  const [first] = (await redis.xrange(lane(laneId), "-", "+", "COUNT", 1)) as [string, string[]][];
  return first === undefined ? undefined : numberOf(first[0]);
}
