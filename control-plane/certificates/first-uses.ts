import type { Sql } from "../database.ts";

/** A connection that a client certificate opened. */
export interface CertificateUse {
  stationId: string;
  /** SHA-256, lower-case hex. */
  fingerprint: string;
  at: Date;
}

/** Notes that stations use their certificates: one that connects with it has it, whatever became of the message that brought it. */
export async function recordCertificateUses(sql: Sql, uses: readonly CertificateUse[]): Promise<void> {
  if (uses.length === 0) return;
  const used = await sql.query<{ request_id: string }>(
    `update station_certificates c set first_used_at = u.at, installed_at = coalesce(c.installed_at, u.at),
       state = case when c.state in ('issued', 'refused') then 'installed' else c.state end
     from (select station_id, fingerprint, min(at) as at from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as t (station_id, fingerprint, at)
           group by station_id, fingerprint) u
     where c.station_id = u.station_id and c.fingerprint = u.fingerprint and c.first_used_at is null
     returning c.request_id`,
    [uses.map((use) => use.stationId), uses.map((use) => use.fingerprint), uses.map((use) => use.at.toISOString())],
  );
  if (used.length > 0)
    await sql.query(
      `update certificate_requests set state = 'installed', due_at = null where id = any($1::text[]) and state in ('issued', 'failed')`,
      [used.map((row) => row.request_id)],
    );
}
