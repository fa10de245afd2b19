import type { Sql } from "../database.ts";
import { COPY_NULL, copyField, WORTH_COPYING } from "../pg-text.ts";

/** One frame as it travelled, either way. */
export interface LoggedFrame {
  stationId: string;
  epoch: number;
  seq: number;
  /** Gateway clock. */
  receivedAt: Date;
  direction: "inbound" | "outbound";
  /** It breaks its schema and was accepted all the same. */
  flagged: boolean;
  /** Null for answers, and for frames that could not be read. */
  action: string | null;
  messageId: string | null;
  raw: string;
  /** The reply frame we gave; null where it follows from the action. */
  answer: string | null;
  /** From the arrival of a CALL to its answer; undefined where nobody measured it. */
  latencyMs?: number | undefined;
}

/**
 * Appends frames to the log; a frame that is there already (a lane read again) is left alone. Copied, where `sql` can, it
 * is a unique violation instead: then the batch is to be tried again without.
 * @param laneId the lane that they stood in: its node held the connection.
 */
export async function recordFrames(sql: Sql, frames: readonly LoggedFrame[], laneId?: string): Promise<void> {
  if (frames.length === 0) return;
  if (sql.copy === undefined || frames.length < WORTH_COPYING) return insertFrames(sql, frames, laneId);
  const [lane] = await sql.query<{ node_id: string }>(`select node_id from lanes where id = $1`, [laneId ?? null]);
  await sql.copy(
    `copy message_log (station_id, epoch, received_at, seq, direction, flagged, action, message_id, raw, answer, latency_ms, node_id) from stdin`,
    linesOf(frames, lane?.node_id ?? ""),
  );
}

function linesOf(frames: readonly LoggedFrame[], nodeId: string): string {
  const text = (value: string | null) => (value === null ? COPY_NULL : copyField(value));
  const end = `\t${nodeId === "" ? COPY_NULL : copyField(nodeId)}\n`;
  // Frames of one turn of a gateway's event loop have one time.
  let [atMs, at] = [Number.NaN, ""];
  let lines = "";
  for (const f of frames) {
    if (f.receivedAt.getTime() !== atMs) [atMs, at] = [f.receivedAt.getTime(), f.receivedAt.toISOString()];
    const direction = f.direction === "inbound" ? "0" : "1";
    const place = `${f.stationId}\t${f.epoch}\t${at}\t${f.seq}\t${direction}\t${f.flagged ? "t" : "f"}`;
    lines += `${place}\t${text(f.action)}\t${text(f.messageId)}\t${copyField(f.raw)}\t${text(f.answer)}\t${f.latencyMs ?? COPY_NULL}${end}`;
  }
  return lines;
}

async function insertFrames(sql: Sql, frames: readonly LoggedFrame[], laneId: string | undefined): Promise<void> {
  await sql.query(
    `insert into message_log (station_id, epoch, received_at, seq, direction, flagged, action, message_id, raw, answer, latency_ms, node_id)
     select u.*, nullif((select l.node_id from lanes l where l.id = $12), '')
     from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::int[], $5::smallint[], $6::boolean[], $7::text[], $8::text[], $9::text[], $10::text[], $11::int[]) u
     on conflict do nothing`,
    [
      frames.map((f) => f.stationId),
      frames.map((f) => f.epoch),
      frames.map((f) => f.receivedAt.toISOString()),
      frames.map((f) => f.seq),
      frames.map((f) => (f.direction === "inbound" ? 0 : 1)),
      frames.map((f) => f.flagged),
      frames.map((f) => f.action),
      frames.map((f) => f.messageId),
      frames.map((f) => f.raw),
      frames.map((f) => f.answer),
      frames.map((f) => f.latencyMs ?? null),
      laneId ?? null,
    ],
  );
}
