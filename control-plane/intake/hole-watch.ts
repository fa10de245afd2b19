import { decodeLaneEvent, LANE_IN_FLIGHT, type LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { Batch } from "./apply-batch.ts";
import { type EntryRange, numberOf, withoutNumbers } from "./entry-id.ts";

/** With room for further entries that were refused before the explanation got through. */
const EXPLAINED_WITHIN = 2 * LANE_IN_FLIGHT;

/**
 * Tells holes in a lane's numbers that are losses from those that its writer explains: a Redis short of memory refuses an
 * entry and takes the next, and the writer's word on it comes a few entries later. Each hole is in lane_gaps from its
 * commit until it is explained; this is only about when it is told.
 */
export class HoleWatch {
  #open: EntryRange[] = [];

  /** @returns the holes that nobody will explain any more, after this batch was committed. */
  applied(batch: Batch): EntryRange[] {
    this.#open.push(...batch.gaps);
    if (this.#open.length === 0) return [];
    for (const [first, last] of explanationsIn(batch))
      this.#open = this.#open.flatMap((hole) => withoutNumbers(hole, first, last));
    const isLoss = (hole: EntryRange) => numberOf(batch.to) - numberOf(hole.to) > EXPLAINED_WITHIN;
    const losses = this.#open.filter(isLoss);
    this.#open = this.#open.filter((hole) => !isLoss(hole));
    return losses;
  }

  /** @returns the holes that are left at the end of the lane. */
  ended(): EntryRange[] {
    return this.#open.splice(0);
  }
}

function explanationsIn({ laneId, frames }: Batch): [first: number, last: number][] {
  return frames.flatMap(({ frame }) => {
    if (frame.kind !== "event" || frame.identity !== "") return [];
    const event = decodeLaneEvent(frame.text);
    return isSkipped(event) && event.laneId === laneId ? event.ranges : [];
  });
}

const isSkipped = (event: { event: string }): event is Extract<LaneEvent, { event: "skipped" }> =>
  event.event === "skipped";
