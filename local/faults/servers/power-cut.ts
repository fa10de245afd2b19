import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { WatchedDisk } from "./watched-disk.ts";

/** With `appendfsync everysec` most is unsynced when the last sync is this long ago. */
const RIPE_MS = 850;
/** With `appendfsync always`, or without load, there is no such moment. */
const MOST_PATIENCE_MS = 1_500;

/**
 * Kills a Redis and takes from its append-only files what no fsync had returned for, as if the machine had lost its power:
 * everything that the kernel had not been asked to bring to the disk is gone, the worst that a power cut may do. The moment
 * is chosen so that it hurts: shortly before the next sync is due, while something waits for it.
 *
 * Files may end in the middle of a command afterwards, as they would. What is synced the moment it is written (the
 * manifest, the cluster's own state, renames) stays as it is.
 *
 * @param kill ends the server with SIGKILL
 * @returns the bytes that were cut
 */
export async function cutPower(
  appendOnlyFolder: string,
  disk: WatchedDisk,
  kill: () => Promise<void>,
): Promise<number> {
  await worstMoment(appendOnlyFolder, disk);
  await kill();
  let cutBytes = 0;
  for (const file of filesIn(appendOnlyFolder)) {
    const size = statSync(file).size;
    const kept = Math.min(size, disk.syncedSize(file));
    truncateSync(file, kept);
    cutBytes += size - kept;
  }
  return cutBytes;
}

async function worstMoment(folder: string, disk: WatchedDisk): Promise<void> {
  let last = -1;
  let changedAt = performance.now();
  for (const deadline = changedAt + MOST_PATIENCE_MS; performance.now() < deadline;) {
    const files = filesIn(folder);
    const now = sum(files, (file) => disk.syncedSize(file));
    if (now !== last) changedAt = performance.now();
    last = now;
    if (performance.now() - changedAt >= RIPE_MS && sum(files, (file) => statSync(file).size) > now) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A rewrite may delete one between the listing and the look at it: then there is one look less. */
function sum(files: readonly string[], of: (file: string) => number): number {
  return files.reduce((total, file) => {
    try {
      return total + of(file);
    } catch {
      return total;
    }
  }, 0);
}

function filesIn(folder: string): string[] {
  return readdirSync(folder).map((name) => join(folder, name));
}
