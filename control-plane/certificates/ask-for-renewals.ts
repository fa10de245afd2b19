import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type pg from "pg";
import { queueCommand } from "../commands/queue-command.ts";
import { inTransaction, type Sql } from "../database.ts";
import type { CertificateType } from "./certificate-authority.ts";

interface ExpiringRow {
  id: string;
  station_id: string;
  org_id: string;
  version: OcppVersion;
  certificate_type: CertificateType;
}

/** Asked again while the station does not make a new key. */
const ASKED_EVERY = "1 day";

/**
 * Asks stations for a new key whose newest certificate of a kind expires within `daysBefore` (2.x A02: TriggerMessage; 1.6:
 * ExtendedTriggerMessage): they answer with a SignCertificate. A newer one that is still on its way is waited for, but not
 * one that was given up. A sweep of the jobs process. Resolves to how many it asked; rejects when Postgres is away.
 */
export async function askForRenewals(deps: { pool: pg.Pool; daysBefore: number; limit: number }): Promise<number> {
  return inTransaction(deps.pool, async (sql) => {
    const expiring = await sql.query<ExpiringRow>(
      `select c.id, c.station_id::text as station_id, c.org_id, coalesce(k.ocpp_version, s.ocpp_version) as version, c.certificate_type
       from station_certificates c join stations s on s.id = c.station_id left join station_connections k on k.station_id = s.id
       where c.state = 'installed' and c.not_after between now() and now() + $1 * interval '1 day' and s.retired_at is null
         and (c.renewal_asked_at is null or c.renewal_asked_at < now() - interval '${ASKED_EVERY}')
         and not exists (select 1 from certificate_requests r where r.station_id = c.station_id and r.certificate_type = c.certificate_type
                           and r.state in ('accepted', 'issued') and r.created_at > c.created_at
                           and (r.due_at is not null or exists (select 1 from commands k where k.id = r.command_id and k.final_at is null)))
       order by c.not_after limit $2 for update of c skip locked`,
      [deps.daysBefore, deps.limit],
    );
    for (const row of expiring) await ask(sql, row);
    await sql.query(`update station_certificates set renewal_asked_at = now() where id = any($1::text[])`, [
      expiring.map((row) => row.id),
    ]);
    return expiring.length;
  });
}

/** What to ask for, in the words of the version; undefined: it has none for this type. */
function triggerOf({
  version,
  certificate_type: type,
}: ExpiringRow): { action: string; requestedMessage: string } | undefined {
  if (version === "1.6")
    return type === "ChargingStationCertificate"
      ? { action: "ExtendedTriggerMessage", requestedMessage: "SignChargePointCertificate" }
      : undefined;
  if (type === "V2G20Certificate" && version === "2.0.1") return undefined;
  return { action: "TriggerMessage", requestedMessage: `Sign${type}` };
}

async function ask(sql: Sql, row: ExpiringRow): Promise<void> {
  const trigger = triggerOf(row);
  if (trigger === undefined) return;
  await queueCommand(sql, {
    stationId: row.station_id,
    orgId: row.org_id,
    version: row.version,
    action: trigger.action,
    payload: { requestedMessage: trigger.requestedMessage },
    requestedBy: "system:certificate-renewal",
    dedupeKey: `certificate-renewal:${row.certificate_type}`,
  });
}
