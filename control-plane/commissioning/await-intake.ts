import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { lane, nodeLease } from "@dynamo-csms/proto/redis-keys";
import type { Owner } from "../commands/resolve-owner.ts";
import type { Sql } from "../database.ts";
import { pause } from "../jobs/pause.ts";

/** Normally it takes some 30 ms. Longer than this the intake is busy or away, and the jobs find out later. */
const LONGEST_MS = 500;
const LOOK_MS = 10;

/**
 * Resolves when everything that the owner's gateway had answered by now stands in Postgres, or soon after at the latest:
 * an installer who sees the charge point's Heartbeat answered and starts the commissioning gets to see it passed.
 * Throws when Redis or Postgres is away.
 */
export async function awaitIntake(deps: { redis: RedisConnection; sql: Sql }, owner: Owner): Promise<void> {
  const laneId = laneOf(await deps.redis.get(nodeLease(owner.nodeId)));
  if (laneId === undefined) return;
  const [newest] = await deps.redis.xrevrange(lane(laneId), "+", "-", "COUNT", 1);
  if (newest === undefined) return;
  const wanted = entryNumber(newest[0]);
  const until = Date.now() + LONGEST_MS;
  while (Date.now() < until) {
    const [row] = await deps.sql.query<{ offset: string }>('select "offset" from lanes where id = $1', [laneId]);
    if (row !== undefined && entryNumber(row.offset) >= wanted) return;
    await pause(LOOK_MS, NEVER);
  }
}

const NEVER = new AbortController().signal;

/** The gateway writes its lane into its lease; what another release wrote there is no reason to fail. */
function laneOf(lease: string | null): string | undefined {
  try {
    const { laneId } = JSON.parse(lease ?? "{}") as { laneId?: unknown };
    return typeof laneId === "string" ? laneId : undefined;
  } catch {
    return undefined;
  }
}

/** Entry ids are `n-0`. */
const entryNumber = (id: string): number => Number(id.split("-")[0]);
