import type { Sql } from "../database.ts";
import { isOutage } from "../http/outage.ts";
import { pause } from "../jobs/pause.ts";
import { MessageTail, type Place } from "./message-tail.ts";
import type { MessageRow } from "./message-view.ts";

/** How often Postgres is asked: frames are filed there by other processes. */
const LOOK_MS = 500;
/** Proxies cut connections on which nothing moves; and a key that was revoked should not go on reading. */
const HEARTBEAT_MS = 15_000;
/** How soon a browser comes back. */
const RETRY_MS = 2_000;
/** A client that has not read what it was sent after so many looks is let go: it comes back with Last-Event-ID. */
const PATIENCE_LOOKS = 20;

export interface MessageStream {
  sql: Sql;
  stationId: string;
  keyId: string;
  /** What the client has. */
  from: Place;
  longestMs: number;
  show(row: MessageRow): object;
  sink: {
    /** @returns false when the client has not read what it was sent yet. */
    write(chunk: string): boolean;
    closed: AbortSignal;
  };
}

/**
 * Sends a station's frames as Server-Sent Events while they come. Resolves when the time is up, the client leaves or does
 * not read, its key has ended, Postgres is away, or this process stops: in each case the client may come back, and goes on
 * behind the last event that it has.
 */
export async function streamMessages({
  sql,
  stationId,
  keyId,
  from,
  longestMs,
  show,
  sink,
}: MessageStream): Promise<void> {
  const until = performance.now() + longestMs;
  const tail = new MessageTail(sql, stationId, from);
  let heartbeatAt = performance.now() + HEARTBEAT_MS;
  let unread = 0;
  sink.write(`retry: ${RETRY_MS}\n\n`);
  try {
    while (!sink.closed.aborted && performance.now() < until) {
      // While the client is behind nothing is piled up for it: a comment tells whether it has read.
      const behind: boolean = unread > 0 && !sink.write(":\n\n");
      unread = behind ? unread + 1 : 0;
      if (unread > PATIENCE_LOOKS) return;
      if (!behind && !send(await tail.next(), tail, show, sink)) unread = 1;
      if (performance.now() >= heartbeatAt) {
        heartbeatAt = performance.now() + HEARTBEAT_MS;
        if (!(await keyHolds(sql, keyId))) return;
        sink.write(": still here\n\n");
      }
      await pause(Math.min(LOOK_MS, Math.max(0, until - performance.now())), sink.closed);
    }
  } catch (fault) {
    if (isOutage(fault)) return;
    throw fault;
  }
  if (!sink.closed.aborted) sink.write("event: end\ndata: {}\n\n");
}

/** @returns false when the client does not keep up: the rest is given another time. */
function send(
  rows: readonly MessageRow[],
  tail: MessageTail,
  show: MessageStream["show"],
  sink: MessageStream["sink"],
): boolean {
  for (const row of rows) {
    tail.gave(row);
    if (!sink.write(`id: ${row.epoch}-${row.seq}\nevent: message\ndata: ${JSON.stringify(show(row))}\n\n`))
      return false;
  }
  return true;
}

async function keyHolds(sql: Sql, keyId: string): Promise<boolean> {
  const rows = await sql.query(
    "select 1 from api_keys where id = $1 and revoked_at is null and (expires_at is null or expires_at > now())",
    [keyId],
  );
  return rows.length > 0;
}
