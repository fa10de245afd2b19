import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";

/** What a station says of limits and of the vehicle: the last word counts. */
export interface ChargingReport extends FactOrder {
  stationId: string;
  evseId: number;
  kind: "limit" | "ev_needs" | "ev_schedule";
  /** Of limits: who set it (NotifyChargingLimit); empty otherwise. */
  limitSource: string;
  /** jsonb text; undefined: the limit was taken away (ClearedChargingLimit). */
  payload: string | undefined;
  receivedAt: Date;
}

/** Part of a key; 20 characters is what the schema of 2.1 allows. */
const MAX_SOURCE = 64;

const byStation = (a: { stationId: string }, b: { stationId: string }) =>
  Number(BigInt(a.stationId) - BigInt(b.stationId));

/** Files limits, needs and schedules, each written forwards only. In two statements, however many there are. */
export async function recordChargingReports(sql: Sql, reports: readonly ChargingReport[]): Promise<void> {
  const told = new Map<string, ChargingReport>();
  const cleared = new Map<string, ChargingReport>();
  for (const report of [...reports].sort(byFactOrder)) {
    const source = storableText(report.limitSource.slice(0, MAX_SOURCE));
    const key = JSON.stringify([report.stationId, report.kind, report.evseId, source]);
    // Only the last word that has something in it counts, and what took it away behind that.
    cleared.delete(key);
    (report.payload === undefined ? cleared : told).set(key, { ...report, limitSource: source });
  }
  for (const words of [told, cleared]) await fileReports(sql, [...words.values()].sort(inKeyOrder));
}

const inKeyOrder = (a: ChargingReport, b: ChargingReport) =>
  byStation(a, b) || compareTexts(a.kind, b.kind) || a.evseId - b.evseId || compareTexts(a.limitSource, b.limitSource);
const compareTexts = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** @param reports one per key. */
async function fileReports(sql: Sql, reports: readonly ChargingReport[]): Promise<void> {
  if (reports.length === 0) return;
  await sql.query(
    `insert into charging_reports (station_id, evse_id, kind, limit_source, payload, received_at, cleared_at, epoch, seq)
     select station_id, evse_id, kind, limit_source, coalesce(payload::jsonb, '{}'), received_at, case when payload is null then received_at end, epoch, seq
     from unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[], $8::int[])
       as r (station_id, evse_id, kind, limit_source, payload, received_at, epoch, seq)
     on conflict (station_id, kind, evse_id, limit_source) do update set
       payload = case when excluded.cleared_at is null then excluded.payload else charging_reports.payload end,
       received_at = case when excluded.cleared_at is null then excluded.received_at else charging_reports.received_at end,
       cleared_at = excluded.cleared_at, epoch = excluded.epoch, seq = excluded.seq
     where (charging_reports.epoch, charging_reports.seq) < (excluded.epoch, excluded.seq)`,
    [
      reports.map((report) => report.stationId),
      reports.map((report) => report.evseId),
      reports.map((report) => report.kind),
      reports.map((report) => report.limitSource),
      reports.map((report) => report.payload ?? null),
      reports.map((report) => report.receivedAt.toISOString()),
      reports.map((report) => report.epoch),
      reports.map((report) => report.seq),
    ],
  );
}
