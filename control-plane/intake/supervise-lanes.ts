import { setTimeout as sleep } from "node:timers/promises";
import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import { type Sql, sqlOn } from "../database.ts";
import { type DrainDeps, drainLane } from "./drain-lane.ts";
import { describeFault } from "../fault-kind.ts";
import { existingLanes, type FoundLane, registeredLanes } from "./find-lanes.ts";
import { endedLanes } from "./lane-ends.ts";
import { addLanes, finishedLanes, freeLanes, reopenLanes, takeLane } from "./lane-rows.ts";

const LOOK_EVERY_MS = 500;
/** A look that takes so long hangs: on a Postgres or a Redis that takes what it is asked and does not answer. */
const LOOK_OVERDUE_MS = 15_000;
/** SCAN walks the whole keyspace: only for lanes that the registry lost. */
const SCAN_EVERY_MS = 30_000;

export type SuperviseDeps = Omit<DrainDeps, "reportLag" | "reportWaiting">;

export interface LaneSupervisor {
  start(): void;
  /** Ends after the batches in hand; the lanes are free at once for others. */
  stop(): Promise<void>;
  /** Ages of the oldest frames in hand, one per lane, ms. */
  lagsMs(): Iterable<number>;
  /** The last look for lanes succeeded, not long ago, and there is a lane that goes on, if there is one at all. */
  healthy(): boolean;
}

/** Finds lanes and drains those that no other intake process holds, each by a worker of its own. */
export function createLaneSupervisor(deps: SuperviseDeps): LaneSupervisor {
  const stopping = new AbortController();
  const workers = new Map<string, Promise<void>>();
  const lags = new Map<string, number>();
  const waiting = new Set<string>();
  let healthy = false;
  let lookedAtMs = 0;
  let looking: Promise<void> = Promise.resolve();
  let nextScanMs = 0;

  async function look(): Promise<void> {
    const sql = sqlOn(deps.pool);
    // On a cluster the registry may be on a master that is away: the lanes that are known already can do without it.
    const [found] = await Promise.allSettled([discover(sql)]);
    await takeFree(sql);
    if (found.status === "rejected") throw found.reason;
  }

  async function discover(sql: Sql): Promise<void> {
    const found = await registeredLanes(deps.redis);
    if (performance.now() >= nextScanMs) {
      found.push(...(await existingLanes(deps.redis)), ...(await lostEnds(sql)));
      await reviewFinished(
        sql,
        found.map(({ id }) => id),
      );
      nextScanMs = performance.now() + SCAN_EVERY_MS;
    }
    await addLanes(
      sql,
      uniqueById(found).filter(({ id }) => !workers.has(id)),
    );
  }

  /** Lanes that were finished by commits that Postgres lost, perhaps with all that it knew of them. */
  async function lostEnds(sql: Sql): Promise<FoundLane[]> {
    const ended = await endedLanes(deps.redis, new Date());
    const known = new Set(
      await finishedLanes(
        sql,
        ended.map(({ id }) => id),
      ),
    );
    return ended.filter(({ id }) => !known.has(id));
  }

  async function takeFree(sql: Sql): Promise<void> {
    for (const id of await freeLanes(sql, deps.holder)) {
      if (workers.has(id) || stopping.signal.aborted) continue;
      const held = await takeLane(sql, id, deps.holder);
      if (held === undefined) continue;
      deps.log.info({ laneId: id, offset: held.offset }, "lane taken");
      const reports = {
        reportLag: (lagMs: number) => void lags.set(id, lagMs),
        reportWaiting: (waits: boolean) => void (waits ? waiting.add(id) : waiting.delete(id)),
      };
      const work = drainLane(held, { ...deps, ...reports }, stopping.signal)
        .then((end) => deps.log.info({ laneId: id, offset: held.offset, end }, "lane left"))
        .catch((fault: unknown) => deps.log.error({ laneId: id, reason: describeFault(fault) }, "lane left by a fault"))
        .finally(() => {
          workers.delete(id);
          lags.delete(id);
          waiting.delete(id);
          deps.metrics.lanes.set(workers.size);
        });
      workers.set(id, work);
      deps.metrics.lanes.set(workers.size);
    }
  }

  /**
   * Finished lanes that are still there. Without a stream it is only the registry that knows them: a process ended before
   * it took them out of it. With one, the writer was not dead but cut off, and goes on in a lane that we gave up.
   */
  async function reviewFinished(sql: Sql, ids: string[]): Promise<void> {
    const [written, gone]: [string[], string[]] = [[], []];
    for (const id of await finishedLanes(sql, ids))
      ((await deps.redis.exists(lane(id))) === 1 ? written : gone).push(id);
    if (gone.length > 0) await deps.redis.hdel(LANES, ...gone);
    await reopenLanes(sql, written);
    for (const laneId of written) deps.log.warn({ laneId }, "finished lane taken up again: its writer lives");
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look();
        if (!healthy) deps.log.info("looking for lanes");
        healthy = true;
        lookedAtMs = performance.now();
      } catch (fault) {
        if (healthy) deps.log.error({ reason: describeFault(fault) }, "cannot look for lanes");
        healthy = false;
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  return {
    start: () => void (looking = run()),
    async stop() {
      stopping.abort();
      await looking;
      await Promise.all(workers.values());
    },
    lagsMs: () => lags.values(),
    healthy: () =>
      healthy &&
      performance.now() - lookedAtMs < LOOK_OVERDUE_MS &&
      (workers.size === 0 || waiting.size < workers.size),
  };
}

// The registry first: it knows the node id.
function uniqueById(lanes: { id: string; nodeId: string }[]) {
  return [...new Map(lanes.toReversed().map((lane) => [lane.id, lane])).values()];
}
