import type { Sql } from "../database.ts";
import { storableJson, storableText } from "../message-log/storable-text.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";
import { isObject } from "../transactions/read-fields.ts";
import { readProfile } from "./read-profile.ts";

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

/** One ReportChargingProfiles (2.x K09). */
export interface ProfileReport extends FactOrder {
  stationId: string;
  requestId: number;
  evseId: number;
  limitSource: string;
  profiles: unknown[];
  /** Nothing of this request follows. */
  last: boolean;
  receivedAt: Date;
}

const byStation = (a: { stationId: string }, b: { stationId: string }) =>
  Number(BigInt(a.stationId) - BigInt(b.stationId));

/** Files limits, needs and schedules, each written forwards only. */
export async function recordChargingReports(sql: Sql, reports: readonly ChargingReport[]): Promise<void> {
  for (const report of [...reports].sort((a, b) => byStation(a, b) || byFactOrder(a, b)))
    await sql.query(
      `insert into charging_reports (station_id, evse_id, kind, limit_source, payload, received_at, cleared_at, epoch, seq)
       values ($1, $2, $3, $4, coalesce($5::jsonb, '{}'), $6, case when $5::text is null then $6::timestamptz end, $7, $8)
       on conflict (station_id, kind, evse_id, limit_source) do update set
         payload = coalesce($5::jsonb, charging_reports.payload), received_at = case when $5::text is null then charging_reports.received_at else excluded.received_at end,
         cleared_at = excluded.cleared_at, epoch = excluded.epoch, seq = excluded.seq
       where (charging_reports.epoch, charging_reports.seq) < (excluded.epoch, excluded.seq)`,
      [
        report.stationId,
        report.evseId,
        report.kind,
        storableText(report.limitSource),
        report.payload ?? null,
        report.receivedAt,
        report.epoch,
        report.seq,
      ],
    );
}

/**
 * Files the profiles that a station reports, part by part. With the last part of a report on everything, what was not in it
 * is not there (any more).
 */
export async function recordProfileReports(sql: Sql, reports: readonly ProfileReport[]): Promise<void> {
  for (const report of [...reports].sort((a, b) => byStation(a, b) || byFactOrder(a, b))) {
    for (const profile of report.profiles) await fileReported(sql, report, profile);
    if (report.last && (await wasOnEverything(sql, report)))
      await sql.query(
        `update charging_profiles set cleared_at = $2, epoch = $4, seq = $5
         where station_id = $1 and cleared_at is null and report_request_id is distinct from $3 and (epoch, seq) < ($4, $5)`,
        [report.stationId, report.receivedAt, report.requestId, report.epoch, report.seq],
      );
  }
}

async function fileReported(sql: Sql, report: ProfileReport, profile: unknown): Promise<void> {
  const fields = readProfile(profile);
  if (fields === undefined) return;
  await sql.query(
    `insert into charging_profiles (station_id, profile_id, evse_id, purpose, stack_level, kind, transaction_id, limit_source, profile,
       source, report_request_id, recorded_at, epoch, seq)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'report', $10, $11, $12, $13)
     on conflict (station_id, profile_id) do update set
       evse_id = excluded.evse_id, purpose = excluded.purpose, stack_level = excluded.stack_level, kind = excluded.kind,
       transaction_id = excluded.transaction_id, limit_source = excluded.limit_source, profile = excluded.profile,
       source = 'report', report_request_id = excluded.report_request_id, recorded_at = excluded.recorded_at,
       cleared_at = null, epoch = excluded.epoch, seq = excluded.seq
     where (charging_profiles.epoch, charging_profiles.seq) < (excluded.epoch, excluded.seq)`,
    [
      report.stationId,
      fields.id,
      report.evseId,
      storableText(fields.purpose),
      fields.stackLevel,
      storableText(fields.kind),
      fields.transactionId === undefined ? null : storableText(fields.transactionId),
      storableText(report.limitSource),
      storableJson(JSON.stringify(profile)),
      report.requestId,
      report.receivedAt,
      report.epoch,
      report.seq,
    ],
  );
}

/** Whether it answers a GetChargingProfiles without any criterion. */
async function wasOnEverything(sql: Sql, { stationId, requestId }: ProfileReport): Promise<boolean> {
  const [row] = await sql.query<{ payload: Record<string, unknown> }>(
    `select payload from commands where station_id = $1 and action = 'GetChargingProfiles' and payload->>'requestId' = $2
     order by created_at desc limit 1`,
    [stationId, String(requestId)],
  );
  const criterion = row?.payload["chargingProfile"];
  return (
    row !== undefined &&
    row.payload["evseId"] === undefined &&
    isObject(criterion) &&
    Object.keys(criterion).length === 0
  );
}
