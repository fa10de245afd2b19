import { fileURLToPath } from "node:url";
import type { Member } from "../contract.ts";

/**
 * Where a process may be broken from within:
 * - before-xadd: a gateway dies with an entry in hand, before anything of it goes to Redis
 * - after-xadd: a gateway dies when Redis has acknowledged an entry, before anything of it is answered
 * - before-commit, after-commit: a process dies around a commit; with a text, of a transaction that has said it
 * - refuse-statements: this share of the statements in transactions, in percent, fails as deadlocks and serialization failures do
 * - poison: a connector status whose texts hold this one cannot be stored, each time it is tried; from the start on
 * - block-loop: the event loop stands still for so many seconds
 */
export type Failpoint =
  | `${"before" | "after"}-xadd`
  | `${"before" | "after"}-commit`
  | `${"before" | "after"}-commit:${string}`
  | `refuse-statements:${number}`
  | `poison:${string}`
  | `block-loop:${number}`;

const PRELOAD = fileURLToPath(new URL("./preload.ts", import.meta.url));

/** Starts the process with a failpoint in it, which does nothing yet. */
export async function startWithFailpoint(member: Member, failpoint: Failpoint): Promise<void> {
  await member.startWith({ FAILPOINT: failpoint, NODE_OPTIONS: `--import=${PRELOAD}` });
}

/** From now on it strikes; the second time: not any more. A blocked loop begins at once, each time. */
export function strike(member: Member): void {
  process.kill(member.pid(), "SIGPWR");
}
