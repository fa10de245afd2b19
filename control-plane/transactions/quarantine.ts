import { storableText } from "../message-log/storable-text.ts";
import type { Sql } from "../database.ts";

/** A message that was answered and stored, but fits nothing we know. Nobody loses it, and nobody acts on it. */
export interface QuarantinedMessage {
  stationId: string;
  epoch: number;
  seq: number;
  receivedAt: Date;
  action: string;
  reason: QuarantineReason;
  /** JSON text of the payload. */
  raw: string;
}

export type QuarantineReason =
  | "unknown transaction"
  | "already stopped otherwise"
  | "another event has this seqNo"
  | "answered with another transaction id"
  | "too many kinds of readings"
  | "breaks its schema"
  | "cannot be read";

/** Sets messages aside; one that is there already is left alone (decisions and intake may both see it). */
export async function quarantine(sql: Sql, messages: readonly QuarantinedMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await sql.query(
    `insert into quarantine (station_id, epoch, seq, received_at, action, reason, raw)
     select * from unnest($1::bigint[], $2::bigint[], $3::int[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
     on conflict do nothing`,
    [
      messages.map((m) => m.stationId),
      messages.map((m) => m.epoch),
      messages.map((m) => m.seq),
      messages.map((m) => m.receivedAt.toISOString()),
      messages.map((m) => m.action),
      messages.map((m) => m.reason),
      messages.map((m) => storableText(m.raw)),
    ],
  );
}
