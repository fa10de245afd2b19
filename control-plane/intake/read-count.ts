import type { LaneEntry } from "./lane-reader.ts";

/** What one read of one lane may hold in memory. After an outage every lane has a backlog at once. */
const TARGET_BYTES = 4 * 1024 * 1024;
/** Enough: an entry holds the frames of a whole turn of a gateway's event loop. */
const MAX_READ_COUNT = 256;

/** Entries of the first XREAD, when nothing is known of their sizes. */
export const FIRST_READ_COUNT = 8;

/** How many entries the next XREAD asks for, after one that asked for `count` and came back with `entries`. */
export function nextReadCount(count: number, entries: readonly LaneEntry[]): number {
  const largest = Math.max(1, ...entries.map(({ bytes }) => bytes.length));
  return Math.max(1, Math.min(2 * count, MAX_READ_COUNT, Math.floor(TARGET_BYTES / largest)));
}
