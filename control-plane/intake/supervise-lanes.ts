import { setTimeout as sleep } from "node:timers/promises";
import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import { type Sql, sqlOn } from "../database.ts";
import { type DrainDeps, drainLane } from "./drain-lane.ts";
import { describeFault } from "../fault-kind.ts";
import { existingLanes, registeredLanes } from "./find-lanes.ts";
import { addLanes, finishedLanes, freeLanes, reopenLanes, takeLane } from "./lane-rows.ts";

const LOOK_EVERY_MS = 500;
/** SCAN walks the whole keyspace: only for lanes that the registry lost. */
const SCAN_EVERY_MS = 30_000;

export type SuperviseDeps = Omit<DrainDeps, "reportLag">;

export interface LaneSupervisor {
  start(): void;
  /** Ends after the batches in hand; the lanes are free at once for others. */
  stop(): Promise<void>;
  /** Ages of the oldest frames in hand, one per lane, ms. */
  lagsMs(): Iterable<number>;
  /** The last look for lanes succeeded. */
  healthy(): boolean;
}

/** Finds lanes and drains those that no other intake process holds, each by a worker of its own. */
export function createLaneSupervisor(deps: SuperviseDeps): LaneSupervisor {
  const stopping = new AbortController();
  const workers = new Map<string, Promise<void>>();
  const lags = new Map<string, number>();
  let healthy = false;
  let looking: Promise<void> = Promise.resolve();
  let nextScanMs = 0;

  async function look(): Promise<void> {
    const sql = sqlOn(deps.pool);
    const found = await registeredLanes(deps.redis);
    if (performance.now() >= nextScanMs) {
      found.push(...(await existingLanes(deps.redis)));
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
    for (const id of await freeLanes(sql, deps.holder)) {
      if (workers.has(id) || stopping.signal.aborted) continue;
      const held = await takeLane(sql, id, deps.holder);
      if (held === undefined) continue;
      deps.log.info({ laneId: id, offset: held.offset }, "lane taken");
      const work = drainLane(held, { ...deps, reportLag: (lagMs) => void lags.set(id, lagMs) }, stopping.signal)
        .then((end) => deps.log.info({ laneId: id, offset: held.offset, end }, "lane left"))
        .catch((fault: unknown) => deps.log.error({ laneId: id, reason: describeFault(fault) }, "lane left by a fault"))
        .finally(() => {
          workers.delete(id);
          lags.delete(id);
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
    healthy: () => healthy,
  };
}

// The registry first: it knows the node id.
function uniqueById(lanes: { id: string; nodeId: string }[]) {
  return [...new Map(lanes.toReversed().map((lane) => [lane.id, lane])).values()];
}
