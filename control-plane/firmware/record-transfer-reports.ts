import type { Sql } from "../database.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";
import { moveJobs, startJobs } from "./transfer-jobs.ts";
import { ACTION_OF_NOTIFICATION, saysNothing, type TransferNotification } from "./transfer-status.ts";

/** A status notification on a firmware update, a publication or an upload. */
export interface TransferReport extends FactOrder {
  stationId: string;
  notification: TransferNotification;
  /** Absent in 1.6 without the security extension: the newest job is meant. */
  requestId: number | undefined;
  status: string;
  receivedAt: Date;
}

/**
 * Files what stations say of their jobs, in their order; what fits no job of ours is in the message log alone. As many
 * statements for a thousand reports as for one: the intake's batches.
 */
export async function recordTransferReports(sql: Sql, reports: readonly TransferReport[]): Promise<void> {
  const told = reports.filter((report) => !saysNothing(report.status)).sort(byFactOrder);
  if (told.length === 0) return;
  const commandOf = await commandsOf(sql, told);
  const words = told.flatMap((report) => {
    const commandId = commandOf.get(jobKey(report));
    return commandId === undefined ? [] : [{ ...report, commandId }];
  });
  await startJobs(
    sql,
    [...new Set(words.map(({ commandId }) => commandId))].map((commandId) => ({
      commandId,
      status: "Accepted",
      epoch: 0,
      seq: 0,
    })),
  );
  await moveJobs(sql, words);
}

const jobKey = ({ stationId, notification, requestId }: TransferReport) => `${stationId} ${notification} ${requestId}`;

/**
 * The commands whose jobs the reports are about: by their request id, else the newest of the kind. Commands whose answer was
 * lost (`unknown`, `timeout`) count as well: the report shows that the station took it on.
 */
async function commandsOf(sql: Sql, reports: readonly TransferReport[]): Promise<Map<string, string>> {
  const wanted = [...new Map(reports.map((report) => [jobKey(report), report]))];
  const rows = await sql.query<{ key: string; command_id: string }>(
    `select w.key, c.id as command_id
     from unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) as w (key, station_id, action, request_id)
     cross join lateral (
       select id from commands
       where station_id = w.station_id and action = w.action and state in ('sent', 'published', 'accepted', 'timeout', 'unknown')
         and (w.request_id is null or payload->>'requestId' = w.request_id)
       order by coalesce(sent_at, created_at) desc, id desc limit 1) as c`,
    [
      wanted.map(([key]) => key),
      wanted.map(([, { stationId }]) => stationId),
      wanted.map(([, { notification }]) => ACTION_OF_NOTIFICATION[notification]),
      wanted.map(([, { requestId }]) => (requestId === undefined ? null : String(requestId))),
    ],
  );
  return new Map(rows.map((row) => [row.key, row.command_id]));
}
