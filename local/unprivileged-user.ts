import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Whom a server is run as. Undefined everywhere: as ourselves. */
export interface RunAs {
  uid: number;
  gid: number;
}

/**
 * Postgres refuses to run as root, and wants an account with a name. As root: the `postgres` account where there is
 * one, else `nobody`. As an ordinary user: undefined.
 *
 * @throws as root on a machine with neither
 */
export function unprivilegedUser(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const account = accounts.find((fields) => fields[0] === name);
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new Error(
    "Postgres does not run as root, and this machine has neither a postgres nor a nobody account: start as an ordinary user, or set DATABASE_URL",
  );
}

/** Whether every user of this machine can reach what lies in this folder: all folders above let them in. */
export function everyoneCanEnter(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
