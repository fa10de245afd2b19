import { execFile } from "node:child_process";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { extractDebianPackages, isDebian } from "../../debian-packages.ts";
import { everyoneCanEnter } from "../../unprivileged-user.ts";

/** A whole Postgres, with the programs that make base backups, which the npm package does not have. */
export interface SystemPostgres {
  /** The folder with `bin`. */
  binaries: string;
  major: number;
  /** Where its libraries are. */
  env: Record<string, string>;
}

const OLDEST = 15;
const PROGRAMS = ["postgres", "initdb", "pg_basebackup"];

/**
 * This machine's Postgres 15 or newer, else Debian's, unpacked into a folder of ours.
 *
 * @param tools where fetched programs are kept
 * @param copyTo where they are put when the user who runs the server cannot reach that folder
 * @returns the reason where there is none
 */
export async function systemPostgres(tools: string, copyTo: string): Promise<SystemPostgres | { reason: string }> {
  const installed = await newestUnder("/");
  if (installed) return installed;
  const unpacked = join(tools, "postgresql");
  if (!existsSync(unpacked)) {
    if (!isDebian()) return { reason: "there is no Postgres 15 or newer with pg_basebackup on this machine" };
    try {
      await extractDebianPackages(["postgresql"], unpacked);
    } catch (cause) {
      return { reason: `Postgres could not be fetched: ${cause instanceof Error ? cause.message : String(cause)}` };
    }
  }
  const reachable = process.getuid?.() !== 0 || everyoneCanEnter(unpacked);
  if (!reachable) cpSync(unpacked, copyTo, { recursive: true, verbatimSymlinks: true });
  const fetched = await newestUnder(reachable ? unpacked : copyTo);
  return fetched ?? { reason: "the Postgres that was fetched is older than 15, or does not run on this machine" };
}

async function newestUnder(root: string): Promise<SystemPostgres | undefined> {
  const versions = join(root, "usr", "lib", "postgresql");
  if (!existsSync(versions)) return undefined;
  const libraries = ["x86_64-linux-gnu", "aarch64-linux-gnu"].flatMap((triplet) =>
    ["usr/lib", "lib"].map((folder) => join(root, folder, triplet)),
  );
  const env: Record<string, string> = root === "/" ? {} : { LD_LIBRARY_PATH: libraries.join(":") };
  for (const major of readdirSync(versions)
    .map(Number)
    .filter((each) => each >= OLDEST)
    .toSorted((a, b) => b - a)) {
    const binaries = join(versions, String(major));
    if (await allRun(binaries, env)) return { binaries, major, env };
  }
  return undefined;
}

async function allRun(binaries: string, env: Record<string, string>): Promise<boolean> {
  try {
    for (const program of PROGRAMS)
      await promisify(execFile)(join(binaries, "bin", program), ["--version"], { env: { ...process.env, ...env } });
    return true;
  } catch {
    return false;
  }
}
