import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";
import { type FactOrder, isLater } from "../stations/fact-order.ts";
import { recordEvents } from "../webhooks/record-event.ts";
import { outcomeOf, type TransferKind } from "./transfer-status.ts";

/** What is kept per job; a station that says the same two words for ever must not fill the table. */
const MAX_PROGRESS = 100;

export interface JobStart extends FactOrder {
  commandId: string;
  status: string;
  fileName?: string;
  /** It ends as it begins. */
  endedAt?: Date;
}

/**
 * Files the jobs that commands started, each once: a later call for the same command changes nothing. Tells
 * firmware.update_started with it.
 */
export async function startJobs(sql: Sql, starts: readonly JobStart[]): Promise<void> {
  if (starts.length === 0) return;
  const rows = await sql.query<{ command_id: string; kind: TransferKind }>(
    `insert into transfer_jobs (command_id, station_id, org_id, kind, action, request_id, location, log_type, file_name, status,
       requested_at, updated_at, ended_at, epoch, seq)
     select c.id, c.station_id, c.org_id,
       case when c.action in ('UpdateFirmware', 'SignedUpdateFirmware') then 'firmware' when c.action = 'PublishFirmware' then 'publish' else 'log' end,
       c.action, case when c.payload->>'requestId' ~ '^-?[0-9]{1,18}$' then (c.payload->>'requestId')::bigint end,
       coalesce(c.payload->'firmware'->>'location', c.payload->'log'->>'remoteLocation', c.payload->>'location'),
       coalesce(c.payload->>'logType', case when c.action = 'GetDiagnostics' then 'DiagnosticsLog' end), s.file_name, s.status,
       coalesce(c.sent_at, c.created_at), now(), s.ended_at, s.epoch, s.seq
     from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::int[])
       as s (command_id, status, file_name, ended_at, epoch, seq)
     join commands c on c.id = s.command_id
     order by c.id
     on conflict (command_id) do nothing returning command_id, kind`,
    [
      starts.map((start) => start.commandId),
      starts.map((start) => start.status),
      starts.map((start) => (start.fileName === undefined ? null : storableText(start.fileName))),
      starts.map((start) => start.endedAt?.toISOString() ?? null),
      starts.map((start) => start.epoch),
      starts.map((start) => start.seq),
    ],
  );
  const now = new Date();
  const told = rows.filter(({ kind }) => kind === "firmware").map(({ command_id }) => command_id);
  await recordEvents(
    sql,
    (await firmwareJobs(sql, told)).map(({ orgId, data }) => ({
      orgId,
      type: "firmware.update_started",
      occurredAt: now,
      data: { ...data, started_at: now.toISOString() },
    })),
  );
}

/** What a station said of a job. */
export interface JobWord extends FactOrder {
  commandId: string;
  status: string;
  receivedAt: Date;
}

interface JobRow {
  command_id: string;
  kind: TransferKind;
  completion_told: boolean;
  epoch: string;
  seq: number;
}

/**
 * Moves jobs to what was said of them last, and notes what was said before; the end of each is told once, as its first word
 * had it. @param words in their order, any number for a job.
 */
export async function moveJobs(sql: Sql, words: readonly JobWord[]): Promise<void> {
  if (words.length === 0) return;
  const jobs = await sql.query<JobRow>(
    `select command_id, kind, completion_told, epoch::text as epoch, seq from transfer_jobs
     where command_id = any($1::text[]) order by command_id for update`,
    [[...new Set(words.map(({ commandId }) => commandId))]],
  );
  const wordsOf = new Map<string, JobWord[]>(jobs.map((job) => [job.command_id, []]));
  for (const word of words)
    wordsOf.get(word.commandId)?.push({ ...word, status: storableText(word.status).slice(0, 50) });
  await noteProgress(sql, [...wordsOf.values()].flat());
  const moves = jobs.flatMap((job) => {
    const before = { epoch: Number(job.epoch), seq: job.seq };
    const later = wordsOf.get(job.command_id)?.filter((word) => isLater(word, before)) ?? [];
    const last = later.at(-1);
    return last === undefined ? [] : [{ job, last, end: later.find(isEnd) }];
  });
  await sql.query(
    `update transfer_jobs j set status = m.status, updated_at = m.at, ended_at = case when m.is_end then m.at end,
       epoch = m.epoch, seq = m.seq, completion_told = j.completion_told or m.has_end
     from unnest($1::text[], $2::text[], $3::timestamptz[], $4::boolean[], $5::boolean[], $6::bigint[], $7::int[])
       as m (command_id, status, at, is_end, has_end, epoch, seq)
     where j.command_id = m.command_id`,
    [
      moves.map(({ job }) => job.command_id),
      moves.map(({ last }) => last.status),
      moves.map(({ last }) => last.receivedAt.toISOString()),
      moves.map(({ last }) => isEnd(last)),
      moves.map(({ end }) => end !== undefined),
      moves.map(({ last }) => last.epoch),
      moves.map(({ last }) => last.seq),
    ],
  );
  const ends = new Map(
    moves.flatMap(({ job, end }) =>
      job.kind === "firmware" && !job.completion_told && end !== undefined ? [[job.command_id, end]] : [],
    ),
  );
  await tellEnds(sql, ends);
}

const isEnd = ({ status }: { status: string }): boolean => outcomeOf(status) !== "running";

async function noteProgress(sql: Sql, words: readonly JobWord[]): Promise<void> {
  await sql.query(
    `insert into transfer_job_progress (command_id, epoch, seq, status, received_at)
     select command_id, epoch, seq, status, received_at from (
       select w.*, row_number() over (partition by w.command_id order by w.epoch, w.seq) + coalesce(noted.count, 0) as number
       from unnest($1::text[], $2::bigint[], $3::int[], $4::text[], $5::timestamptz[]) as w (command_id, epoch, seq, status, received_at)
       left join (select command_id, count(*) from transfer_job_progress where command_id = any($1::text[]) group by command_id) as noted
         on noted.command_id = w.command_id) as numbered
     where number <= $6 order by command_id, epoch, seq
     on conflict do nothing`,
    [
      words.map(({ commandId }) => commandId),
      words.map(({ epoch }) => epoch),
      words.map(({ seq }) => seq),
      words.map(({ status }) => status),
      words.map(({ receivedAt }) => receivedAt.toISOString()),
      MAX_PROGRESS,
    ],
  );
}

/** Ends the older jobs of a kind: the station said that it gave them up for a newer one. */
export async function cancelOlderJobs(sql: Sql, commandId: string, order: FactOrder, at: Date): Promise<void> {
  const rows = await sql.query<{ command_id: string }>(
    `select older.command_id from transfer_jobs older join transfer_jobs j on j.station_id = older.station_id and j.kind = older.kind
     where j.command_id = $1 and older.command_id <> $1 and older.ended_at is null and older.requested_at <= j.requested_at`,
    [commandId],
  );
  const { epoch, seq } = order;
  await moveJobs(
    sql,
    rows.map((row) => ({ commandId: row.command_id, epoch, seq, status: "AcceptedCanceled", receivedAt: at })),
  );
}

async function tellEnds(sql: Sql, ends: ReadonlyMap<string, JobWord>): Promise<void> {
  const jobs = await firmwareJobs(sql, [...ends.keys()]);
  await recordEvents(
    sql,
    jobs.flatMap(({ orgId, data }) => {
      const end = ends.get(data.command_id);
      if (end === undefined) return [];
      const { status, receivedAt } = end;
      const succeeded = outcomeOf(status) === "succeeded";
      return [
        {
          orgId,
          type: "firmware.update_completed" as const,
          occurredAt: receivedAt,
          data: { ...data, status, succeeded, completed_at: receivedAt.toISOString() },
        },
      ];
    }),
  );
}

interface FirmwareJob {
  orgId: string;
  /** Of its events. */
  data: { charge_point_id: string; project_id: string | null; command_id: string; status: string };
}

async function firmwareJobs(sql: Sql, commandIds: readonly string[]): Promise<FirmwareJob[]> {
  if (commandIds.length === 0) return [];
  const rows = await sql.query<FirmwareJob["data"] & { org_id: string }>(
    `select j.org_id, s.charge_point_id, s.project_id, j.command_id, j.status
     from transfer_jobs j join stations s on s.id = j.station_id where j.command_id = any($1::text[]) order by j.command_id`,
    [commandIds],
  );
  return rows.map(({ org_id, ...data }) => ({ orgId: org_id, data }));
}
