import { setTimeout as sleep } from "node:timers/promises";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { sqlOn } from "../database.ts";
import { applyBatch, type ApplyDeps, type Batch } from "./apply-batch.ts";
import { CopyPolicy } from "./copy-policy.ts";
import { describeFault } from "../fault-kind.ts";
import { type EntryRange, entryIdOf, numberOf } from "./entry-id.ts";
import { finishLane } from "./finish-lane.ts";
import { HoleWatch } from "./hole-watch.ts";
import { type HeldLane, HOLD_MS, keepLane, leaveLane } from "./lane-rows.ts";
import { type LaneEntry, LaneReader } from "./lane-reader.ts";
import { FIRST_READ_COUNT, nextReadCount } from "./read-count.ts";
import { takeBatch } from "./take-batch.ts";
import type { BatchTraces } from "./trace-batches.ts";
import { LaneTrimmer } from "./trim-lane.ts";
import { WriteProbe } from "./write-probe.ts";

export interface DrainDeps extends ApplyDeps {
  /** Opens a connection for blocking reads, one per lane. */
  openReader(): RedisConnection;
  /** For short commands. */
  redis: RedisConnection;
  holder: string;
  replayWindowMs: number;
  /** How long a small batch waits for company: fewer, larger transactions. */
  lingerMs: number;
  /** The age of the oldest frame in hand, ms; 0 when there is none. */
  reportLag(lagMs: number): void;
  /** Where traces are recorded. */
  traces?: BatchTraces;
  /** Whether the lane waits for an outage to end. */
  reportWaiting(waits: boolean): void;
}

/** How long an idle lane is waited on before its worker looks after the rest. */
const BLOCK_MS = 1_000;
/** From this on a batch is worth its transaction. */
const WORTHWHILE_FRAMES = 100;

/**
 * START HERE. Reads a lane from its offset and applies it, batch by batch, until it is stopped, lost to another intake,
 * or finished. An outage of Redis or Postgres is waited for, however long it lasts; nothing is skipped.
 */
export async function drainLane(
  held: HeldLane,
  deps: DrainDeps,
  signal: AbortSignal,
): Promise<"stopped" | "lost" | "finished"> {
  const reader = new LaneReader(deps.openReader(), held.id);
  const log = deps.log.child({ laneId: held.id });
  const stop = () => reader.close();
  signal.addEventListener("abort", stop, { once: true });
  const drain = new LaneDrain(held, reader, deps);
  let pauseMs = 0;
  try {
    while (!signal.aborted) {
      try {
        const end = await drain.once();
        if (pauseMs > 0) {
          deps.metrics.waitingLanes.dec();
          deps.reportWaiting(false);
          log.info({ offset: held.offset }, "lane goes on");
          pauseMs = 0;
        }
        if (end !== undefined) return end;
      } catch (fault) {
        if (signal.aborted) break;
        drain.expectBacklog();
        if (pauseMs === 0) {
          deps.metrics.waitingLanes.inc();
          deps.reportWaiting(true);
          log.error({ offset: held.offset, reason: describeFault(fault) }, "lane waits");
        }
        pauseMs = Math.min(Math.max(100, pauseMs * 2), 5_000);
        await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
      }
    }
    await leaveLane(sqlOn(deps.pool), held.id, deps.holder);
    return "stopped";
  } finally {
    if (pauseMs > 0) deps.metrics.waitingLanes.dec();
    signal.removeEventListener("abort", stop);
    deps.reportLag(0);
    reader.close();
  }
}

class UnknownFormat extends Error {}

/** One lane being drained: its offset moves with each batch, in Postgres first and then here. */
class LaneDrain {
  readonly #held: HeldLane;
  readonly #reader: LaneReader;
  readonly #deps: DrainDeps;
  readonly #trimmer: LaneTrimmer;
  readonly #writeProbe: WriteProbe;
  readonly #holes = new HoleWatch();
  readonly #copying = new CopyPolicy();
  /** Read, and not yet applied. */
  #queue: LaneEntry[] = [];
  #readCount = FIRST_READ_COUNT;
  #passedTrimmed = false;
  // Monotonic: a clock that is set forwards must not cut the replay window short.
  #keptAtMs = performance.now();
  #movedAtMs = performance.now();

  constructor(held: HeldLane, reader: LaneReader, deps: DrainDeps) {
    this.#held = held;
    this.#reader = reader;
    this.#deps = deps;
    this.#trimmer = new LaneTrimmer({ redis: deps.redis, laneId: held.id, replayWindowMs: deps.replayWindowMs });
    this.#writeProbe = new WriteProbe(deps.redis, held.id);
  }

  /** After an outage: what waits by now is larger than what was read last. */
  expectBacklog(): void {
    this.#readCount = FIRST_READ_COUNT;
  }

  /** One batch, or one wait for entries. Rejects on an outage: call again. */
  async once(): Promise<"lost" | "finished" | undefined> {
    if (this.#queue.length === 0) await this.#read();
    if (this.#queue.length === 0) return this.#idle();
    const { batch, taken, waits } = takeBatch(this.#held.id, this.#held.offset, this.#queue);
    // A deploy in the wrong order: the lane is left as it is for a build that can read it.
    if (waits) throw new UnknownFormat("the next entry has a format that this build does not know");
    this.#deps.reportLag(Date.now() - (batch.frames[0]?.frame.receivedAtMs ?? Date.now()));
    if ((await this.#apply(batch)) === "lost") return "lost";
    this.#queue.splice(0, taken);
    if (this.#queue.length === 0) this.#deps.reportLag(0);
    await this.#trimmer.trim(performance.now());
    return undefined;
  }

  async #read(): Promise<void> {
    const offset = this.#held.offset;
    const count = this.#readCount;
    const first = await this.#reader.read(offset, count, BLOCK_MS);
    const last = first.at(-1);
    if (last === undefined) return;
    this.#queue = first;
    this.#readCount = nextReadCount(count, first);
    if (first.length < count && countFrames(first) < WORTHWHILE_FRAMES && this.#deps.lingerMs > 0) {
      await sleep(this.#deps.lingerMs);
      this.#queue = [...first, ...(await this.#reader.read(last.id, this.#readCount, 0))];
    }
  }

  async #apply(batch: Batch): Promise<"applied" | "sealed" | "lost"> {
    const { metrics } = this.#deps;
    const end = metrics.batchDuration.startTimer();
    const outcome = await this.#applyTraced(batch);
    end();
    metrics.batches.inc({ outcome });
    if (outcome === "lost") return outcome;
    this.#held.offset = batch.to;
    if (outcome === "sealed") this.#held.sealed = true;
    this.#movedAtMs = this.#keptAtMs = performance.now();
    this.#trimmer.committed(batch, this.#movedAtMs);
    metrics.frames.inc(batch.frames.length);
    this.#tellGaps(this.#holes.applied(batch));
    return outcome;
  }

  /** Where nothing is traced this is `applyBatch`. */
  async #applyTraced(batch: Batch): Promise<"applied" | "sealed" | "lost"> {
    const deps = { ...this.#deps, copying: this.#copying };
    const trace = this.#deps.traces?.begin(batch);
    if (trace === undefined) return applyBatch(batch, deps);
    try {
      const outcome = await applyBatch(batch, { ...deps, eventsRecorded: trace.eventsRecorded });
      trace.end(outcome === "lost" ? "another intake has the lane" : undefined);
      return outcome;
    } catch (fault) {
      trace.end(describeFault(fault));
      throw fault;
    }
  }

  #tellGaps(gaps: EntryRange[]): void {
    for (const gap of gaps) {
      this.#deps.metrics.gaps.inc();
      this.#deps.log.error({ laneId: this.#held.id, ...gap }, "lane has a gap");
    }
  }

  /**
   * Entries beyond our offset that were trimmed, with nothing behind them: they were applied by a Postgres that lost it, and
   * longer ago than the replay window. Only at the beginning: while we hold the lane, the offset does not go back.
   */
  async #passTrimmed(): Promise<"lost" | undefined> {
    const { id, offset } = this.#held;
    const last = await this.#reader.lastId();
    if (last === undefined || numberOf(last) <= numberOf(offset)) return undefined;
    // Not those that came between the two looks.
    if ((await this.#reader.read(offset, 1, 0)).length > 0) return undefined;
    const lost = { from: entryIdOf(numberOf(offset) + 1), to: last };
    const outcome = await this.#apply({ laneId: id, from: offset, to: last, frames: [], damaged: [], gaps: [lost] });
    return outcome === "lost" ? outcome : undefined;
  }

  /** Nothing to read: keep the lane, trim it, and see whether it has come to its end. */
  async #idle(): Promise<"lost" | "finished" | undefined> {
    if (!this.#passedTrimmed) {
      if ((await this.#passTrimmed()) === "lost") return "lost";
      this.#passedTrimmed = true;
    }
    const now = performance.now();
    if (now - this.#keptAtMs > HOLD_MS / 4) {
      if (!(await keepLane(sqlOn(this.#deps.pool), this.#held, this.#deps.holder))) return "lost";
      this.#keptAtMs = now;
    }
    await this.#trimmer.trim(now);
    await this.#writeProbe.probe();
    // While a Postgres may still lose its last commits, the entries must stay.
    if (now - this.#movedAtMs < this.#deps.replayWindowMs) return undefined;
    const upForMs = Math.min(this.#reader.upForMs, this.#writeProbe.writableForMs);
    const finished = await finishLane(this.#held, upForMs, this.#deps);
    if (finished === undefined) return undefined;
    this.#tellGaps([...this.#holes.ended(), ...(finished.lost === undefined ? [] : [finished.lost])]);
    return "finished";
  }
}

/** Roughly: an entry that is not one frame long holds more than one. */
const countFrames = (entries: readonly LaneEntry[]): number =>
  entries.reduce((sum, { bytes }) => sum + Math.ceil(bytes.length / 400), 0);
