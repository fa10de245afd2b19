import type { Logger } from "pino";
import type pg from "pg";
import type { OutcomeDeps } from "../commands/run-outcome-effects.ts";
import type { Sql } from "../database.ts";
import { findStations, type KnownStation } from "../stations/known-station.ts";
import type { MeterShapes } from "../transactions/meter-shapes.ts";
import { inBatchTransaction } from "./batch-sql.ts";
import { collectEffects } from "./collect-effects.ts";
import type { CopyPolicy } from "./copy-policy.ts";
import { type DeadLetter, deadLetterOf, type PlacedFrame, setAside } from "./dead-letters.ts";
import { Effects } from "./effects.ts";
import type { EntryRange } from "./entry-id.ts";
import { describeFault, faultKindOf } from "../fault-kind.ts";
import type { IntakeMetrics } from "./intake-metrics.ts";
import { markSealed, moveOffset, recordGap } from "./lane-rows.ts";
import { writeEffects } from "./write-effects.ts";

/** Entries of a lane that are applied together. */
export interface Batch {
  laneId: string;
  /** The offset before and after. */
  from: string;
  to: string;
  frames: PlacedFrame[];
  /** Entries that could not be unpacked. */
  damaged: DeadLetter[];
  gaps: EntryRange[];
}

export interface ApplyDeps {
  pool: pg.Pool;
  shapes: MeterShapes;
  settings: { logHeartbeats: boolean };
  /** Of the lane; without it nothing is copied. */
  copying?: CopyPolicy;
  metrics: IntakeMetrics;
  log: Logger;
  /** As in Sql. */
  eventsRecorded?: NonNullable<Sql["eventsRecorded"]>;
  /** Called with the effects written and not committed: where tests break the process off. */
  beforeCommit?: (batch: Batch) => Promise<void>;
}

/** Rolls the effects back: somebody else moved the offset. */
class LaneLost extends Error {}

/** Two transactions meet seldom; as often as this in a row means that something else is wrong. */
const MAX_RETRIES = 10;

/**
 * Applies a batch and moves the lane's offset, both or neither. What cannot be applied is set aside, frame by frame.
 * @returns "sealed" when the writer said that nothing follows; "lost" when the offset is not where it was read: nothing
 * was changed, the lane is to be taken anew.
 * Throws on an outage, with nothing changed: the caller waits and tries again.
 */
export async function applyBatch(batch: Batch, deps: ApplyDeps): Promise<"applied" | "sealed" | "lost"> {
  let way: Way = deps.copying?.next() === true ? "copied" : "whole";
  for (let retries = 0; ;) {
    try {
      const outcome = await deps.metrics.commands.whenCommitted((ended) =>
        inBatchTransaction(deps.pool, way === "copied", (sql) =>
          applyIn(
            deps.eventsRecorded === undefined ? sql : { ...sql, eventsRecorded: deps.eventsRecorded },
            batch,
            way,
            { ...deps, ended },
          ),
        ),
      );
      if (way === "copied") deps.copying?.copied();
      return outcome;
    } catch (fault) {
      if (fault instanceof LaneLost) return "lost";
      const kind = faultKindOf(fault);
      if (kind === "frame" && way === "copied") {
        way = "whole";
        deps.copying?.failed();
      } else if (kind === "frame" && way === "whole") way = "split";
      else if (kind === "retry" && retries < MAX_RETRIES) await pause(++retries);
      else throw fault;
    }
  }
}

/** Whole: all at once. Copied: and what is appended by COPY. Split: so that what cannot be applied is found. */
type Way = "copied" | "whole" | "split";

const pause = (times: number) =>
  new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** Math.min(times, 6)));

/** `ended`: as in OutcomeDeps. */
type ApplyInDeps = ApplyDeps & Pick<OutcomeDeps, "ended">;

async function applyIn(sql: Sql, batch: Batch, way: Way, deps: ApplyInDeps): Promise<"applied" | "sealed"> {
  // First of all: it locks the lane, so that a second intake waits here instead of doing the work for nothing.
  if (!(await moveOffset(sql, batch.laneId, batch.from, batch.to))) throw new LaneLost();
  for (const gap of batch.gaps) await recordGap(sql, batch.laneId, gap);
  await setAside(sql, batch.damaged);
  const stations = await findStations(sql, [
    ...new Set(batch.frames.map(({ frame }) => frame.identity).filter((identity) => identity !== "")),
  ]);
  const context: Context = { laneId: batch.laneId, stations, deps, sealed: false };
  if (way === "split") await applySplit(sql, batch.frames, context);
  else await applyFrames(sql, batch.frames, context);
  if (context.sealed) await markSealed(sql, batch.laneId);
  await deps.beforeCommit?.(batch);
  return context.sealed ? "sealed" : "applied";
}

interface Context {
  laneId: string;
  stations: ReadonlyMap<string, KnownStation>;
  deps: ApplyInDeps;
  sealed: boolean;
}

async function applyFrames(sql: Sql, frames: readonly PlacedFrame[], context: Context): Promise<void> {
  const effects = new Effects();
  const letters: DeadLetter[] = [];
  for (const placed of frames) {
    try {
      collectEffects(placed.frame, context.stations, context.deps.settings, effects);
    } catch (fault) {
      letters.push(deadLetterOf(context.laneId, placed, describeFault(fault)));
    }
  }
  await writeEffects(sql, effects, { ...context.deps, laneId: context.laneId, newest: context.deps.copying?.newest });
  context.sealed ||= effects.sealed;
  await setAsideAloud(sql, letters, context);
}

/** Halves the frames until the ones that cannot be applied stand alone: a few statements more, not a few per frame. */
async function applySplit(sql: Sql, frames: readonly PlacedFrame[], context: Context): Promise<void> {
  const [first] = frames;
  if (first === undefined) return;
  await sql.query("savepoint part");
  try {
    await applyFrames(sql, frames, context);
    await sql.query("release savepoint part");
  } catch (fault) {
    if (faultKindOf(fault) !== "frame") throw fault;
    // Fails when it was the connection that broke: then nothing is set aside.
    await sql.query("rollback to savepoint part");
    await sql.query("release savepoint part");
    if (frames.length === 1)
      return setAsideAloud(sql, [deadLetterOf(context.laneId, first, describeFault(fault))], context);
    const middle = Math.ceil(frames.length / 2);
    await applySplit(sql, frames.slice(0, middle), context);
    await applySplit(sql, frames.slice(middle), context);
  }
}

async function setAsideAloud(sql: Sql, letters: readonly DeadLetter[], { laneId, deps }: Context): Promise<void> {
  await setAside(sql, letters);
  for (const { entryId, index, identity, reason } of letters) {
    deps.log.error({ laneId, entryId, frame: index, station: identity, reason }, "frame set aside");
    deps.metrics.deadLetters.inc();
  }
}
