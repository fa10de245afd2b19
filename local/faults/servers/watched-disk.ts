import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { extractDebianPackages, isDebian } from "../../debian-packages.ts";

const SOURCE = fileURLToPath(new URL("./watched-disk.c", import.meta.url));
const SLOTS = 4_096n;
const ENTRY_BYTES = 24;

/** What stands between a server and its disk: it knows what was synced, and can say that nothing more fits. */
export interface WatchedDisk {
  /** For the environment of the server. */
  environment: Record<string, string>;
  /** How large a file was when it was last synced, exactly, in bytes; 0 for one that never was. */
  syncedSize(file: string): number;
  /** No file can grow from now on (ENOSPC); what lies within a file's size can still be overwritten. */
  fill(): void;
  free(): void;
}

/**
 * Has a server's calls of fsync, write and the like go through a small library of ours.
 *
 * @param library from `watchedDiskLibrary`
 * @param folder of this server alone, made before, and open to the user who runs it. Notes are kept there for as long as its files
 */
export function watchDisk(library: string, folder: string): WatchedDisk {
  const copy = join(folder, "watched-disk.so"); // the checkout may be closed to the server's user
  const table = join(folder, "synced-sizes");
  const full = join(folder, "disk-full");
  copyFileSync(library, copy);
  writeFileSync(table, Buffer.alloc(Number(SLOTS) * ENTRY_BYTES));
  return {
    environment: { LD_PRELOAD: copy, SYNCED_SIZES: table, DISK_FULL: full },
    syncedSize(file) {
      const entries = readFileSync(table);
      const { ino, birthtimeNs } = statSync(file, { bigint: true });
      for (let step = 0n; step < SLOTS; step += 1n) {
        const at = Number((ino + step) % SLOTS) * ENTRY_BYTES;
        const inode = entries.readBigUInt64LE(at);
        if (inode === 0n) return 0;
        if (inode !== ino) continue;
        // Another file had the number before, and was deleted.
        if (entries.readBigUInt64LE(at + 8) !== birthtimeNs) return 0;
        return Number(entries.readBigUInt64LE(at + 16));
      }
      return 0;
    },
    fill: () => writeFileSync(full, ""),
    free: () => rmSync(full, { force: true }),
  };
}

/**
 * The library, compiled once: by a C compiler of this machine, else by Debian's smallest, unpacked into a folder of ours.
 *
 * @param folder where fetched and made programs are kept
 * @throws with the remedy when there is no compiler
 */
export async function watchedDiskLibrary(folder: string): Promise<string> {
  const version = createHash("sha256").update(readFileSync(SOURCE)).digest("hex").slice(0, 12);
  const library = join(folder, `watched-disk-${version}.so`);
  if (existsSync(library)) return library;
  mkdirSync(folder, { recursive: true });
  const unfinished = `${library}.${process.pid}`;
  if (!(await anyCompiles([["cc"], ["gcc"], ["clang"], ["tcc"]], unfinished))) {
    const fetched = isDebian() ? await fetchedCompilers(folder) : [];
    if (!(await anyCompiles(fetched, unfinished)))
      throw new Error("faults of a server's disk need a C compiler on Linux: install gcc, clang or tcc");
  }
  renameSync(unfinished, library);
  return library;
}

async function fetchedCompilers(folder: string): Promise<string[][]> {
  const unpacked = join(folder, "tcc");
  if (!existsSync(unpacked)) await extractDebianPackages(["tcc"], unpacked);
  return ["x86_64-linux-gnu", "aarch64-linux-gnu"]
    .map((triplet) => join(unpacked, "usr", "lib", triplet, "tcc"))
    .filter((own) => existsSync(own))
    .map((own) => [join(unpacked, "usr", "bin", "tcc"), `-B${own}`]);
}

async function anyCompiles(compilers: readonly string[][], into: string): Promise<boolean> {
  for (const [command = "", ...args] of compilers) {
    try {
      await promisify(execFile)(command, [...args, "-shared", "-fPIC", "-nostdlib", "-o", into, SOURCE]);
      return true;
    } catch {
      // not there, or not one for this machine
    }
  }
  return false;
}
