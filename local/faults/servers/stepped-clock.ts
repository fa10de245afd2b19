import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { extractDebianPackages, isDebian } from "../../debian-packages.ts";
import { FOLDERS } from "../../folders.ts";

/** Debian's and others' places of libfaketime. */
const PLACES = ["x86_64-linux-gnu", "aarch64-linux-gnu", ""].map((triplet) =>
  join("usr", "lib", triplet, "faketime", "libfaketimeMT.so.1"),
);

/** The wall clock of the processes that are started with `env`. */
export interface SteppedClock {
  env: Record<string, string>;
  /** Sets it this many seconds off the true time, forwards or (negative) backwards; within a second they see it. */
  step(seconds: number): void;
}

/**
 * A wall clock that can be stepped under running processes, by libfaketime: the machine's, else Debian's, unpacked into a
 * folder of ours. The monotonic clock, and with it timers, is untouched, as when an administrator or NTP sets the clock.
 *
 * @param folder where the offset is written for the processes to read
 * @returns the reason where it cannot be
 */
export async function clockEnvironment(folder: string): Promise<SteppedClock | { reason: string }> {
  const found = await faketimeLibrary();
  if ("reason" in found) return found;
  const file = join(folder, "clock-offset");
  const clock: SteppedClock = {
    env: {
      LD_PRELOAD: found.library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DONT_RESET: "1", // else each child process would begin at the offset anew
    },
    step(seconds) {
      // Renamed into place: a process never reads half of it.
      writeFileSync(`${file}.new`, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}s\n`);
      renameSync(`${file}.new`, file);
    },
  };
  mkdirSync(folder, { recursive: true });
  clock.step(0);
  return (await steps(clock)) ? clock : { reason: "libfaketime does not step the clock of this Node" };
}

async function faketimeLibrary(): Promise<{ library: string } | { reason: string }> {
  const unpacked = join(FOLDERS.tools, "libfaketime");
  const find = () => ["/", unpacked].flatMap((root) => PLACES.map((place) => join(root, place))).find(existsSync);
  let library = find();
  if (library === undefined && isDebian()) {
    try {
      await extractDebianPackages(["libfaketime"], unpacked);
      library = find();
    } catch (cause) {
      return { reason: `libfaketime could not be fetched: ${cause instanceof Error ? cause.message : String(cause)}` };
    }
  }
  return library === undefined ? { reason: "there is no libfaketime on this machine" } : { library };
}

/** Tries it on a Node of this version: an hour ahead, then back, while it runs. */
async function steps(clock: SteppedClock): Promise<boolean> {
  const script = "console.log(Date.now())";
  const read = async (): Promise<number> => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--eval", script], {
      env: { ...process.env, ...clock.env },
    });
    return Number(stdout);
  };
  clock.step(3_600);
  const ahead = (await read()) - Date.now();
  clock.step(0);
  return Math.abs(ahead - 3_600_000) < 60_000;
}
