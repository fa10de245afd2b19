import type { Sql } from "../database.ts";
import { pause } from "../jobs/pause.ts";
import { toStatusAnswer } from "./commissioning-answer.ts";
import { findCommissioning, loadChecks } from "./commissioning-rows.ts";

/** How often a stream or a waiting request asks Postgres whether the revision moved: jobs run in other processes. */
const LOOK_MS = 500;
/** Proxies cut connections on which nothing moves. */
const KEEP_ALIVE_MS = 15_000;
/** A client that reads nothing is let go: it comes back with Last-Event-ID. */
const LONGEST_STREAM_MS = 30 * 60_000;
/** How soon a browser comes back. */
const RETRY_MS = 2_000;

export interface Moved {
  revision: number;
  status: string;
}

/** Where a commissioning stands, without its checks. */
export async function readRevision(sql: Sql, commissioningId: string): Promise<Moved | undefined> {
  const [row] = await sql.query<Moved>("select revision, status from commissionings where id = $1", [commissioningId]);
  return row;
}

/** Resolves when `seen` says yes about the current revision, the time is up, or the signal comes. */
export async function waitForRevision(
  sql: Sql,
  commissioningId: string,
  seen: (moved: Moved) => boolean,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const until = Date.now() + waitMs;
  for (;;) {
    const moved = await readRevision(sql, commissioningId);
    if (moved === undefined || seen(moved)) return;
    const leftMs = until - Date.now();
    if (leftMs <= 0 || signal.aborted) return;
    await pause(Math.min(LOOK_MS, leftMs), signal);
  }
}

export interface EventSink {
  /** @returns false when the client does not keep up. */
  write(chunk: string): boolean;
  closed: AbortSignal;
}

/**
 * Server-Sent Events of one commissioning: its state at once and after every change, as `progress`, at last as `completed`
 * or `failed`; then the stream ends. The event's id is the revision.
 * @param lastSeen the revision that the client has (Last-Event-ID). @param endAt Unix ms: the access token ends then.
 */
export async function streamEvents(
  sql: Sql,
  commissioningId: string,
  lastSeen: number | undefined,
  endAt: number,
  sink: EventSink,
): Promise<void> {
  const until = Math.min(endAt, Date.now() + LONGEST_STREAM_MS);
  let sent = lastSeen;
  let wroteAt = Date.now();
  sink.write(`retry: ${RETRY_MS}\n\n`);
  while (!sink.closed.aborted && Date.now() < until) {
    const moved = await readRevision(sql, commissioningId);
    if (moved === undefined) return;
    if (moved.revision !== sent) {
      const [commissioning, checks] = [
        await findCommissioning(sql, { id: commissioningId }, "read"),
        await loadChecks(sql, commissioningId),
      ];
      if (commissioning === undefined) return;
      const event = commissioning.status === "in_progress" ? "progress" : commissioning.status;
      const keepsUp = sink.write(
        `id: ${commissioning.revision}\nevent: ${event}\ndata: ${JSON.stringify(toStatusAnswer(commissioning, checks))}\n\n`,
      );
      if (!keepsUp || commissioning.status !== "in_progress") return;
      sent = commissioning.revision;
      wroteAt = Date.now();
    } else if (moved.status !== "in_progress") {
      return;
    } else if (Date.now() - wroteAt >= KEEP_ALIVE_MS) {
      sink.write(": still here\n\n");
      wroteAt = Date.now();
    }
    await pause(LOOK_MS, sink.closed);
  }
}
