import { decodeEntry, UnknownEntryFormat } from "@dynamo-csms/proto/stream-entry";
import type { Batch } from "./apply-batch.ts";
import { gapBetween } from "./entry-id.ts";
import type { LaneEntry } from "./lane-reader.ts";

/** Bounds memory, and how long a transaction holds its rows. An entry is never parted. */
export const MAX_BATCH_FRAMES = 4_000;

/**
 * Unpacks entries from the front of the queue into a batch that follows `offset`.
 * @returns the batch and how many entries are in it. `waits`: the first entry is of a format that this build does not
 * know, so the lane waits for a build that does.
 */
export function takeBatch(
  laneId: string,
  offset: string,
  entries: readonly LaneEntry[],
): { batch: Batch; taken: number; waits: boolean } {
  const batch: Batch = { laneId, from: offset, to: offset, frames: [], damaged: [], gaps: [] };
  let taken = 0;
  for (const entry of entries) {
    if (batch.frames.length >= MAX_BATCH_FRAMES) break;
    try {
      decodeEntry(entry.bytes).forEach((frame, index) => batch.frames.push({ entryId: entry.id, index, frame }));
    } catch (fault) {
      // Format 0 is what an empty field says: damaged, not newer.
      if (fault instanceof UnknownEntryFormat && entry.bytes.length > 0) return { batch, taken, waits: taken === 0 };
      const frame = { entry_base64: entry.bytes.toString("base64") };
      batch.damaged.push({
        laneId,
        entryId: entry.id,
        index: 0,
        identity: "",
        frame,
        reason: "the entry cannot be unpacked",
      });
    }
    const gap = gapBetween(batch.to, entry.id);
    if (gap !== undefined) batch.gaps.push(gap);
    batch.to = entry.id;
    taken += 1;
  }
  return { batch, taken, waits: false };
}
