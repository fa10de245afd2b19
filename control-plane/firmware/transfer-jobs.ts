import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";
import { recordEvents } from "../webhooks/record-event.ts";
import {
  ACTIONS_OF_NOTIFICATION,
  outcomeOf,
  saysNothing,
  type TransferKind,
  type TransferNotification,
} from "./transfer-status.ts";

/** A status notification on a firmware update, a publication or an upload. */
export interface TransferReport extends FactOrder {
  stationId: string;
  notification: TransferNotification;
  /** Absent in 1.6 without the security extension: the newest job is meant. */
  requestId: number | undefined;
  status: string;
  receivedAt: Date;
}

/** What is kept per job; a station that says the same two words for ever must not fill the table. */
const MAX_PROGRESS = 100;

/** Files what stations say of their jobs, in their order; what fits no job of ours is in the message log alone. */
export async function recordTransferReports(sql: Sql, reports: readonly TransferReport[]): Promise<void> {
  const told = reports.filter((report) => !saysNothing(report.status));
  for (const report of told.sort((a, b) => Number(BigInt(a.stationId) - BigInt(b.stationId)) || byFactOrder(a, b))) {
    const commandId = await jobOf(sql, report);
    if (commandId !== undefined) await moveJob(sql, commandId, report);
  }
}

/**
 * The job that a report is about: by its request id, else the newest of the kind. Commands whose answer was lost (`unknown`,
 * `timeout`) count as well: the report shows that the station took it on.
 */
async function jobOf(sql: Sql, { stationId, notification, requestId }: TransferReport): Promise<string | undefined> {
  const [row] = await sql.query<{ id: string }>(
    `select id from commands
     where station_id = $1 and action = any($2::text[]) and state in ('sent', 'published', 'accepted', 'timeout', 'unknown')
       and ($3::text is null or payload->>'requestId' = $3)
     order by coalesce(sent_at, created_at) desc, id desc limit 1`,
    [stationId, ACTIONS_OF_NOTIFICATION[notification], requestId === undefined ? null : String(requestId)],
  );
  if (row !== undefined) await startJob(sql, row.id, { status: "Accepted", epoch: 0, seq: 0 });
  return row?.id;
}

export interface JobStart extends FactOrder {
  status: string;
  fileName?: string;
  /** It ends as it begins. */
  endedAt?: Date;
}

/**
 * Files the job that a command started, once: a later call for the same command changes nothing. Tells
 * firmware.update_started with it.
 */
export async function startJob(sql: Sql, commandId: string, start: JobStart): Promise<void> {
  const rows = await sql.query<{ kind: TransferKind }>(
    `insert into transfer_jobs (command_id, station_id, org_id, kind, action, request_id, location, log_type, file_name, status,
       requested_at, updated_at, ended_at, epoch, seq)
     select id, station_id, org_id,
       case when action in ('UpdateFirmware', 'SignedUpdateFirmware') then 'firmware' when action = 'PublishFirmware' then 'publish' else 'log' end,
       action, case when payload->>'requestId' ~ '^-?[0-9]{1,18}$' then (payload->>'requestId')::bigint end,
       coalesce(payload->'firmware'->>'location', payload->'log'->>'remoteLocation', payload->>'location'),
       coalesce(payload->>'logType', case when action = 'GetDiagnostics' then 'DiagnosticsLog' end), $3, $2,
       coalesce(sent_at, created_at), now(), $6, $4, $5
     from commands where id = $1
     on conflict (command_id) do nothing returning kind`,
    [
      commandId,
      start.status,
      start.fileName === undefined ? null : storableText(start.fileName),
      start.epoch,
      start.seq,
      start.endedAt ?? null,
    ],
  );
  if (rows[0]?.kind === "firmware") await tell(sql, commandId, "firmware.update_started", new Date());
}

/** Moves a job to what was said of it last; its end is told once. */
async function moveJob(
  sql: Sql,
  commandId: string,
  report: FactOrder & { status: string; receivedAt: Date },
): Promise<void> {
  const status = storableText(report.status).slice(0, 50);
  const { receivedAt, epoch, seq } = report;
  await sql.query(
    `insert into transfer_job_progress (command_id, epoch, seq, status, received_at)
     select $1, $2, $3, $4, $5 where (select count(*) from transfer_job_progress where command_id = $1) < $6
     on conflict do nothing`,
    [commandId, epoch, seq, status, receivedAt, MAX_PROGRESS],
  );
  const outcome = outcomeOf(status);
  const [moved] = await sql.query<{ kind: TransferKind; told: boolean }>(
    `update transfer_jobs j set status = $2, updated_at = $3, ended_at = case when $4 then $3::timestamptz end, epoch = $5, seq = $6,
       completion_told = before.completion_told or $4
     from (select completion_told from transfer_jobs where command_id = $1 for update) as before
     where j.command_id = $1 and (j.epoch, j.seq) < ($5, $6)
     returning j.kind, before.completion_told as told`,
    [commandId, status, receivedAt, outcome !== "running", epoch, seq],
  );
  if (moved?.kind === "firmware" && !moved.told && outcome !== "running")
    await tell(sql, commandId, "firmware.update_completed", receivedAt);
}

/** Ends the older jobs of a kind: the station said that it gave them up for a newer one. */
export async function cancelOlderJobs(sql: Sql, commandId: string, order: FactOrder, at: Date): Promise<void> {
  const rows = await sql.query<{ command_id: string }>(
    `select older.command_id from transfer_jobs older join transfer_jobs j on j.station_id = older.station_id and j.kind = older.kind
     where j.command_id = $1 and older.command_id <> $1 and older.ended_at is null and older.requested_at <= j.requested_at
     order by older.command_id`,
    [commandId],
  );
  for (const row of rows) await moveJob(sql, row.command_id, { ...order, status: "AcceptedCanceled", receivedAt: at });
}

async function tell(
  sql: Sql,
  commandId: string,
  type: "firmware.update_started" | "firmware.update_completed",
  at: Date,
): Promise<void> {
  const [job] = await sql.query<{ org_id: string; charge_point_id: string; project_id: string | null; status: string }>(
    `select j.org_id, s.charge_point_id, s.project_id, j.status from transfer_jobs j join stations s on s.id = j.station_id where j.command_id = $1`,
    [commandId],
  );
  if (job === undefined) return;
  const data = {
    charge_point_id: job.charge_point_id,
    project_id: job.project_id,
    command_id: commandId,
    status: job.status,
  };
  const occurredAt = at;
  if (type === "firmware.update_started")
    await recordEvents(sql, [{ orgId: job.org_id, type, occurredAt, data: { ...data, started_at: at.toISOString() } }]);
  else
    await recordEvents(sql, [
      {
        orgId: job.org_id,
        type,
        occurredAt,
        data: { ...data, succeeded: outcomeOf(job.status) === "succeeded", completed_at: at.toISOString() },
      },
    ]);
}
