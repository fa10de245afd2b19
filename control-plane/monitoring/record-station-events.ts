import { createHash } from "node:crypto";
import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import type { Sql } from "../database.ts";
import { isSecretSetting } from "../commands/secret-fields.ts";
import type { FactOrigin } from "../device-model/read-variables.ts";
import { storableJson } from "../message-log/storable-text.ts";
import { readTime } from "../transactions/meter-reading.ts";

/** One event of a NotifyEvent. */
export interface StationEvent {
  stationId: string;
  occurredAt: Date;
  digest: Buffer;
  /** JSON text that Postgres takes. */
  data: string;
  receivedAt: Date;
}

/**
 * The events of a NotifyEvent (P2 N07). An event is the same when all of it is: eventId alone starts again with each
 * reboot, so it names nothing.
 */
export function eventsOf(
  { eventData }: RequestPayload<"2.0.1" | "2.1", "NotifyEvent">,
  { stationId, receivedAt }: Pick<FactOrigin, "stationId" | "receivedAt">,
): StationEvent[] {
  return eventData.map((event) => {
    const { customData: _, actualValue, ...rest } = event;
    const data = { ...rest, actualValue: isSecretSetting(event.variable.name) ? null : actualValue };
    const text = JSON.stringify(data);
    return {
      stationId,
      occurredAt: readTime(event.timestamp) ?? receivedAt,
      digest: createHash("sha256").update(text).digest(),
      data: storableJson(text),
      receivedAt,
    };
  });
}

/** Files events, each once: one that is there already is the station's retry. */
export async function recordStationEvents(sql: Sql, events: readonly StationEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = [...events].sort(
    (a, b) => Number(BigInt(a.stationId) - BigInt(b.stationId)) || Buffer.compare(a.digest, b.digest),
  );
  await sql.query(
    `insert into station_events (station_id, occurred_at, digest, data, received_at)
     select * from unnest($1::bigint[], $2::timestamptz[], $3::bytea[], $4::jsonb[], $5::timestamptz[])
     on conflict do nothing`,
    [
      rows.map((event) => event.stationId),
      rows.map((event) => event.occurredAt.toISOString()),
      rows.map((event) => event.digest),
      rows.map((event) => event.data),
      rows.map((event) => event.receivedAt.toISOString()),
    ],
  );
}
