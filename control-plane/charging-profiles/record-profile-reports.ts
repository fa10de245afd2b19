import type { Sql } from "../database.ts";
import { storableJson, storableText } from "../message-log/storable-text.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";
import { isObject } from "../transactions/read-fields.ts";
import { readProfile } from "./read-profile.ts";

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

/**
 * Files the profiles that stations report, part by part. With the last part of a report on everything, what was not in it
 * is not there (any more). As many statements for a thousand parts as for one: the intake's batches.
 */
export async function recordProfileReports(sql: Sql, reports: readonly ProfileReport[]): Promise<void> {
  const ordered = [...reports].sort(byFactOrder);
  await fileReported(sql, lastWords(ordered));
  await clearUnreported(
    sql,
    await thoseOnEverything(
      sql,
      ordered.filter(({ last }) => last),
    ),
  );
}

interface ReportedProfile {
  report: ProfileReport;
  profile: unknown;
  fields: NonNullable<ReturnType<typeof readProfile>>;
}

/** Of each profile what was reported of it last, in the order of the key. @param reports in their order. */
function lastWords(reports: readonly ProfileReport[]): ReportedProfile[] {
  const words = new Map<string, ReportedProfile>();
  for (const report of reports)
    for (const profile of report.profiles) {
      const fields = readProfile(profile);
      if (fields === undefined) continue;
      const key = `${report.stationId} ${fields.id}`;
      // Of two with one id in the same message, the first.
      if (words.get(key)?.report !== report) words.set(key, { report, profile, fields });
    }
  return [...words.values()].sort(
    (a, b) => Number(BigInt(a.report.stationId) - BigInt(b.report.stationId)) || a.fields.id - b.fields.id,
  );
}

async function fileReported(sql: Sql, words: readonly ReportedProfile[]): Promise<void> {
  if (words.length === 0) return;
  await sql.query(
    `insert into charging_profiles (station_id, profile_id, evse_id, purpose, stack_level, kind, transaction_id, limit_source, profile,
       source, report_request_id, recorded_at, epoch, seq)
     select station_id, profile_id, evse_id, purpose, stack_level, kind, transaction_id, limit_source, profile::jsonb,
       'report', request_id, recorded_at, epoch, seq
     from unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[],
       $10::bigint[], $11::timestamptz[], $12::bigint[], $13::int[])
       as r (station_id, profile_id, evse_id, purpose, stack_level, kind, transaction_id, limit_source, profile, request_id, recorded_at, epoch, seq)
     on conflict (station_id, profile_id) do update set
       evse_id = excluded.evse_id, purpose = excluded.purpose, stack_level = excluded.stack_level, kind = excluded.kind,
       transaction_id = excluded.transaction_id, limit_source = excluded.limit_source, profile = excluded.profile,
       source = 'report', report_request_id = excluded.report_request_id, recorded_at = excluded.recorded_at,
       cleared_at = null, epoch = excluded.epoch, seq = excluded.seq
     where (charging_profiles.epoch, charging_profiles.seq) < (excluded.epoch, excluded.seq)`,
    [
      words.map(({ report }) => report.stationId),
      words.map(({ fields }) => fields.id),
      words.map(({ report }) => report.evseId),
      words.map(({ fields }) => storableText(fields.purpose)),
      words.map(({ fields }) => fields.stackLevel),
      words.map(({ fields }) => storableText(fields.kind)),
      words.map(({ fields }) => (fields.transactionId === undefined ? null : storableText(fields.transactionId))),
      words.map(({ report }) => storableText(report.limitSource)),
      words.map(({ profile }) => storableJson(JSON.stringify(profile))),
      words.map(({ report }) => report.requestId),
      words.map(({ report }) => report.receivedAt.toISOString()),
      words.map(({ report }) => report.epoch),
      words.map(({ report }) => report.seq),
    ],
  );
}

/** What was on record before a complete report and is not in it. What a later one reports is later than this one's end. */
async function clearUnreported(sql: Sql, ends: readonly ProfileReport[]): Promise<void> {
  if (ends.length === 0) return;
  await sql.query(
    `with ends as (
       select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::int[]) as e (station_id, request_id, at, epoch, seq)),
     gone as (
       select p.station_id, p.profile_id, e.at, e.epoch, e.seq
       from charging_profiles p cross join lateral (
         select at, epoch, seq from ends
         where ends.station_id = p.station_id and p.report_request_id is distinct from ends.request_id and (p.epoch, p.seq) < (ends.epoch, ends.seq)
         order by ends.epoch, ends.seq limit 1) as e
       where p.station_id = any($1::bigint[]) and p.cleared_at is null
       order by p.station_id, p.profile_id for update of p)
     update charging_profiles p set cleared_at = gone.at, epoch = gone.epoch, seq = gone.seq
     from gone where p.station_id = gone.station_id and p.profile_id = gone.profile_id`,
    [
      ends.map((end) => end.stationId),
      ends.map((end) => end.requestId),
      ends.map((end) => end.receivedAt.toISOString()),
      ends.map((end) => end.epoch),
      ends.map((end) => end.seq),
    ],
  );
}

/** Those that answer a GetChargingProfiles without any criterion. */
async function thoseOnEverything(sql: Sql, ends: readonly ProfileReport[]): Promise<ProfileReport[]> {
  if (ends.length === 0) return [];
  const rows = await sql.query<{ place: number; payload: Record<string, unknown> }>(
    `select w.place, c.payload
     from unnest($1::int[], $2::bigint[], $3::text[]) as w (place, station_id, request_id)
     cross join lateral (
       select payload from commands
       where station_id = w.station_id and action = 'GetChargingProfiles' and payload->>'requestId' = w.request_id
       order by created_at desc limit 1) as c
     order by w.place`,
    [ends.map((_, place) => place), ends.map((end) => end.stationId), ends.map((end) => String(end.requestId))],
  );
  return rows.flatMap(({ place, payload }) => {
    const criterion = payload["chargingProfile"];
    const everything = payload["evseId"] === undefined && isObject(criterion) && Object.keys(criterion).length === 0;
    return everything ? [ends[place] as ProfileReport] : [];
  });
}
