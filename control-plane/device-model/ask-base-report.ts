import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { queueCommand } from "../commands/queue-command.ts";
import type { Sql } from "../database.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";

/** A boot that was answered "Accepted". */
export interface AcceptedBoot extends FactOrder {
  stationId: string;
  orgId: string;
  version: OcppVersion;
  firmwareVersion: string | null;
}

/** Who asks, in the commands' rows. */
export const BASE_REPORT_REQUESTER = "system:base-report";
const DEDUPE_KEY = "base-report";
/** A station that never answers is asked with this many of its boots, and then left alone until its firmware changes. */
const MAX_ASKED = 5;
/** After a boot the connection belongs to what was waited for: statuses, and the questions of a commissioning. */
const AFTER_BOOT_MS = 30_000;

/**
 * Asks stations what they are made of, after their first accepted boot and after each new firmware: GetBaseReport of the
 * full inventory (P2 B07), GetConfiguration of everything (C16 §5.8). In the boot's transaction, from the decision and
 * again from the lane: a boot that was looked at before, by its (epoch, seq), asks nothing.
 */
export async function askBaseReports(sql: Sql, boots: readonly AcceptedBoot[]): Promise<void> {
  if (boots.length === 0) return;
  const newest = new Map([...boots].sort(byFactOrder).map((boot) => [boot.stationId, boot]));
  for (const stationId of await stationsToAsk(sql, [...newest.values()]))
    await ask(sql, newest.get(stationId) as AcceptedBoot);
}

/** Those that were not asked, whose firmware, version or hardware is another, or that were asked and did not tell. */
async function stationsToAsk(sql: Sql, boots: readonly AcceptedBoot[]): Promise<string[]> {
  const rows = await sql.query<{ station_id: string }>(
    `select b.station_id::text as station_id
     from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::int[]) as b (station_id, ocpp_version, firmware_version, epoch, seq)
     join stations s on s.id = b.station_id left join base_report_requests r using (station_id)
     where (r.station_id is null or (r.epoch, r.seq) < (b.epoch, b.seq) and (
         r.firmware_version is distinct from b.firmware_version or r.ocpp_version <> b.ocpp_version or r.epoch <= s.hardware_epoch
         or r.state in ('asked', 'answered') and r.asked < ${MAX_ASKED}))
       and not exists (select 1 from commands c where c.station_id = b.station_id and c.dedupe_key = $6 and c.final_at is null)
     order by b.station_id`,
    [
      boots.map((boot) => boot.stationId),
      boots.map((boot) => boot.version),
      boots.map((boot) => boot.firmwareVersion),
      boots.map((boot) => boot.epoch),
      boots.map((boot) => boot.seq),
      DEDUPE_KEY,
    ],
  );
  return rows.map((row) => row.station_id);
}

async function ask(sql: Sql, boot: AcceptedBoot): Promise<void> {
  const { stationId, orgId, version } = boot;
  const [row] = await sql.query<{ request_id: number }>(
    `insert into base_report_requests as r (station_id, ocpp_version, firmware_version, request_id, state, asked, epoch, seq)
     values ($1, $2, $3, nextval('report_request_ids'), 'asked', 1, $4, $5)
     on conflict (station_id) do update set ocpp_version = excluded.ocpp_version, firmware_version = excluded.firmware_version,
       request_id = excluded.request_id, state = 'asked', epoch = excluded.epoch, seq = excluded.seq, changed_at = now(),
       asked = case when r.firmware_version is distinct from excluded.firmware_version or r.ocpp_version <> excluded.ocpp_version then 1 else r.asked + 1 end
     where (r.epoch, r.seq) < (excluded.epoch, excluded.seq)
     returning request_id`,
    [stationId, version, boot.firmwareVersion, boot.epoch, boot.seq],
  );
  // Another transaction looked at this boot meanwhile.
  if (row === undefined) return;
  const requestId = row.request_id;
  if (version !== "1.6")
    await sql.query(
      `insert into station_reports (station_id, kind, request_id, base, requested_at, updated_at)
       values ($1, 'variables', $2, 'FullInventory', now(), now())
       on conflict (station_id, kind, request_id) do nothing`,
      [stationId, requestId],
    );
  const call =
    version === "1.6"
      ? { action: "GetConfiguration", payload: {} }
      : { action: "GetBaseReport", payload: { requestId, reportBase: "FullInventory" } };
  await queueCommand(sql, {
    stationId,
    orgId,
    version,
    ...call,
    requestedBy: BASE_REPORT_REQUESTER,
    notBefore: new Date(Date.now() + AFTER_BOOT_MS),
    dedupeKey: DEDUPE_KEY,
  });
}

/**
 * The station's answer to that question: "answered" until its report is whole (1.6: whole already), "refused" where it
 * cannot. All else leaves it asked, to be asked again with a later boot.
 * @param requestId of the GetBaseReport; undefined for 1.6
 */
export async function noteBaseReportAnswer(
  sql: Sql,
  stationId: string,
  answer: "answered" | "complete" | "refused",
  requestId: number | undefined,
): Promise<void> {
  await sql.query(
    `update base_report_requests set state = $2, changed_at = now()
     where station_id = $1 and state in ('asked', 'answered') and ($3::int is null or request_id = $3::int)`,
    [stationId, answer, requestId ?? null],
  );
}
