import type { AttemptOutcome, ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import { sourceOf } from "@dynamo-csms/proto/source-address";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Logger } from "pino";
import type { UpgradeClaim } from "./admission.ts";
import type { AttemptLimit } from "./attempt-limits.ts";
import { isProven, type AttemptStore, type StationAttempt } from "./attempt-store.ts";
import type { Refusal } from "./refusals.ts";
import type { Session } from "./session.ts";

interface Deps {
  nodeId: string;
  store: AttemptStore;
  /** Per source, for those that did not prove to be a station; per station for the others. */
  limit: Pick<AttemptLimit, "take" | "forgetRested">;
  every(ms: number, run: () => void): { cancel(): void };
  /** Whom a path names, as far as that can be read. */
  identityOf(path: string): StationIdentity | undefined;
  nowMs(): number;
  log: Logger;
}

interface Noted {
  identity: StationIdentity | undefined;
  attempt: ConnectionAttempt;
}

/** What one flush writes, and how much waits for it: past that, attempts of strangers are forgotten, then those of stations. */
const FLUSH_MS = 500;
const PER_FLUSH = 500;
const MAX_WAITING = 5_000;
const MAX_WAITING_STRANGERS = 1_000;

/** For a person who reads them. */
const MAX_TEXT = 200;

export type AttemptLog = ReturnType<typeof createAttemptLog>;

/**
 * Keeps what became of each attempt to connect, for whoever looks for the reason. Best effort, and never waited for: written in
 * batches, the same attempt from the same address once per batch with a count, and no more of an address than help.
 */
export function createAttemptLog(deps: Deps) {
  const { nodeId, store, limit, nowMs, log } = deps;
  /** Key (who, from where, what) → the attempt that waits to be written. */
  const waiting = new Map<string, Noted>();
  let strangers = 0;
  let failing = false;

  function add(identity: StationIdentity | undefined, attempt: ConnectionAttempt): void {
    const proven = isProven(attempt.outcome);
    const key = `${attempt.listener} ${attempt.outcome} ${attempt.remoteAddress} ${identity ?? ""}`;
    const former = waiting.get(key);
    if (former !== undefined) {
      former.attempt = { ...attempt, times: (former.attempt.times ?? 1) + 1 };
      return;
    }
    if (!limit.take(proven ? `station ${String(identity)}` : `source ${sourceOf(attempt.remoteAddress)}`)) return;
    if (waiting.size >= MAX_WAITING || (!proven && strangers >= MAX_WAITING_STRANGERS)) return;
    if (!proven) strangers += 1;
    waiting.set(key, { identity, attempt });
  }

  async function write(batch: readonly Noted[]): Promise<void> {
    const isNamed = (noted: Noted): noted is StationAttempt => noted.identity !== undefined;
    // Whether there is such a station is asked where it is written, at no cost to the handshake.
    const strange = await store.keep(batch.filter(isNamed));
    const unknown = [...batch.filter((noted) => !isNamed(noted)), ...strange];
    await store.keepUnknown(unknown.map(({ attempt }) => attempt));
  }

  async function flush(): Promise<void> {
    limit.forgetRested();
    const batch: Noted[] = [];
    for (const [key, noted] of waiting) {
      if (batch.length >= PER_FLUSH) break;
      waiting.delete(key);
      if (!isProven(noted.attempt.outcome)) strangers -= 1;
      batch.push(noted);
    }
    if (batch.length === 0) return;
    try {
      await write(batch);
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ error: (error as Error).message }, "connection attempts not kept");
      failing = true;
    }
  }

  const timer = deps.every(FLUSH_MS, () => void flush());
  const base = (outcome: AttemptOutcome) => ({ v: 1 as const, atMs: nowMs(), outcome, nodeId });

  return {
    /** A connection that was let in, or what became of it. */
    note(session: Session, outcome: AttemptOutcome, more: { notes?: string[]; detail?: string } = {}): void {
      const { identity, remoteAddress, path, subprotocols, listener } = session;
      const { notes = [], detail } = more;
      const seen = { path: cut(path), subprotocols: cut(subprotocols), remoteAddress, listener };
      add(identity, { ...base(outcome), ...seen, notes, ...(detail && { detail: cut(detail) }) });
    },

    /** A handshake that was refused. */
    refused(claim: UpgradeClaim, refusal: Refusal): void {
      if (refusal.attempt === undefined) return;
      const { outcome, identity = deps.identityOf(claim.path), notes = [], detail } = refusal.attempt;
      const { remoteAddress, listener } = claim;
      const seen = { path: cut(claim.path), subprotocols: cut(claim.subprotocols), remoteAddress, listener };
      add(identity, { ...base(outcome), ...seen, notes, ...(detail && { detail: cut(detail) }) });
    },

    /** A TCP connection to a TLS listener that ended before it brought a request. */
    withoutRequest(remoteAddress: string, listener: 2 | 3): void {
      const detail = "the connection ended before its request: the TLS handshake failed, or nothing was sent";
      const seen = { path: "", subprotocols: "", remoteAddress, listener, notes: [] };
      add(undefined, { ...base("tls_error"), ...seen, detail });
    },

    /** Writes what waits, and nothing more after that. */
    async stop(): Promise<void> {
      timer.cancel();
      await flush();
    },
  };
}

const cut = (text: string): string => text.slice(0, MAX_TEXT);
