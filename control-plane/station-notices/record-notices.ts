import { createHash } from "node:crypto";
import type { Sql } from "../database.ts";
import { storableJson } from "../message-log/storable-text.ts";
import type { FactOrigin } from "../device-model/read-variables.ts";

export type NoticeKind = "battery_swap" | "der_alarm" | "der_start_stop" | "priority_charging";

/** Something that a station tells once. */
export interface Notice extends FactOrigin {
  kind: NoticeKind;
  /** The message as OCPP has it. */
  data: object;
  /** Nothing in the message tells one such happening from the next: each message is one. */
  eachIsNew?: boolean;
}

/** Files notices, each once: the same message again is the station's retry. */
export async function recordNotices(sql: Sql, notices: readonly Notice[]): Promise<void> {
  if (notices.length === 0) return;
  const rows = notices
    .map((notice) => ({ ...notice, digest: digestOf(notice) }))
    .sort((a, b) => Number(BigInt(a.stationId) - BigInt(b.stationId)) || Buffer.compare(a.digest, b.digest));
  await sql.query(
    `insert into station_notices (station_id, kind, digest, data, received_at)
     select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::jsonb[], $5::timestamptz[])
     on conflict (station_id, kind, digest) do nothing`,
    [
      rows.map((row) => row.stationId),
      rows.map((row) => row.kind),
      rows.map((row) => row.digest),
      rows.map((row) => storableJson(JSON.stringify(row.data))),
      rows.map((row) => row.receivedAt.toISOString()),
    ],
  );
}

function digestOf({ kind, data, eachIsNew, epoch, seq }: Notice): Buffer {
  const place = eachIsNew === true ? [epoch, seq] : [];
  return createHash("sha256")
    .update(JSON.stringify([kind, data, ...place]))
    .digest();
}
