import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { everyoneCanEnter, type RunAs } from "./unprivileged-user.ts";

/**
 * The folder for Postgres's data (and, where needed, a copy of its programs): `.local/postgres`; or, when Postgres runs
 * as a user who cannot enter the checkout, a folder outside that this checkout alone uses.
 *
 * @param record where the outside folder is written down, for the next start and for `removeOutsideHome`
 */
export function postgresHome(local: string, runAs: RunAs | undefined, record: string): string {
  const recorded = outsideHome(record);
  if (recorded) return recorded;
  const inside = join(local, "postgres");
  if (!runAs || existsSync(inside) || everyoneCanEnter(local)) {
    makeEnterable(inside);
    return inside;
  }
  const name = `dynamo-csms-${createHash("sha256").update(local).digest("hex").slice(0, 12)}`;
  const parent = ["/var/lib", "/var/tmp"].find((folder) => existsSync(folder) && everyoneCanEnter(folder));
  if (!parent)
    throw new Error(
      `no folder that the user who runs Postgres can enter: move the checkout out of the closed folder it is in, or set DATABASE_URL`,
    );
  const outside = join(parent, name);
  // Without a record `.local/` was deleted by hand, and with it the password of what is left there: nobody can use it.
  rmSync(outside, { recursive: true, force: true });
  writeFileSync(record, JSON.stringify({ folder: outside }));
  makeEnterable(outside);
  return outside;
}

/** Deletes the folder outside of the checkout. Returns which, if there was one. */
export function removeOutsideHome(record: string): string | undefined {
  const folder = outsideHome(record);
  if (folder) rmSync(folder, { recursive: true, force: true });
  return folder;
}

function outsideHome(record: string): string | undefined {
  return existsSync(record) ? (JSON.parse(readFileSync(record, "utf8")) as { folder: string }).folder : undefined;
}

function makeEnterable(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711);
}
