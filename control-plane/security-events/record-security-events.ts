import { createHash } from "node:crypto";
import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { recordEvents } from "../webhooks/record-event.ts";
import { isCritical } from "./critical-events.ts";

/** Something that the station (SecurityEventNotification) or a gateway noticed. */
export interface SecurityEvent {
  station: KnownStation;
  source: "station" | "csms";
  type: string;
  techInfo: string | null;
  /** The station's clock; null: no time that can be read. */
  occurredAt: Date | null;
  receivedAt: Date;
  /** What makes it this event and no other: resent, it says the same. */
  identity: readonly string[];
}

const MAX_TYPE = 255;
/** 255 characters by the specification; a quirk profile may let through more. */
const MAX_TECH_INFO = 2_000;

/**
 * Keeps security events, each once, and tells the critical ones (alert.triggered) with the row. Nothing is coalesced: two
 * events that differ in type, time or techInfo are two rows; the same words again are the station's retry.
 */
export async function recordSecurityEvents(sql: Sql, events: readonly SecurityEvent[]): Promise<void> {
  if (events.length === 0) return;
  const byKey = new Map(events.map((event) => [`${event.station.id}/${digestOf(event).toString("hex")}`, event]));
  const rows = [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, event]) => event);
  const filed = await sql.query<{ id: string; station_id: string; digest: Buffer }>(
    `insert into security_events (station_id, org_id, digest, source, type, tech_info, critical, occurred_at, received_at)
     select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[], $9::timestamptz[])
     on conflict (station_id, digest) do nothing
     returning id::text as id, station_id::text as station_id, digest`,
    [
      rows.map((event) => event.station.id),
      rows.map((event) => event.station.orgId),
      rows.map(digestOf),
      rows.map((event) => event.source),
      rows.map((event) => storableText(event.type).slice(0, MAX_TYPE)),
      rows.map((event) => (event.techInfo === null ? null : storableText(event.techInfo).slice(0, MAX_TECH_INFO))),
      rows.map((event) => isCritical(event.type)),
      rows.map((event) => event.occurredAt?.toISOString() ?? null),
      rows.map((event) => event.receivedAt.toISOString()),
    ],
  );
  const critical = filed.flatMap(({ id, station_id, digest }) => {
    const event = byKey.get(`${station_id}/${digest.toString("hex")}`);
    return event !== undefined && isCritical(event.type) ? [{ id, event }] : [];
  });
  await recordEvents(
    sql,
    critical.map(({ id, event }) => ({
      orgId: event.station.orgId,
      type: "alert.triggered" as const,
      occurredAt: event.receivedAt,
      data: {
        alert: "critical_security_event" as const,
        security_event_id: id,
        charge_point_id: event.station.chargePointId,
        project_id: event.station.projectId,
        source: event.source === "station" ? ("charge_point" as const) : ("csms" as const),
        type: storableText(event.type).slice(0, MAX_TYPE),
        tech_info: event.techInfo === null ? null : storableText(event.techInfo).slice(0, MAX_TECH_INFO),
        occurred_at: (event.occurredAt ?? event.receivedAt).toISOString(),
      },
    })),
  );
}

const digestOf = ({ source, identity }: SecurityEvent): Buffer =>
  createHash("sha256")
    .update(JSON.stringify([source, ...identity]))
    .digest();
