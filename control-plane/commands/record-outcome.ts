import type { CommandOutcome, CommandState } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";
import type { EndedCommand } from "./outcome-effects.ts";
import { type OutcomeDeps, runOutcomeEffects } from "./run-outcome-effects.ts";

/**
 * Writes down that a gateway sent the command's CALL. Word of it comes twice, on the asker's channel and through the lane,
 * in any order with the outcome: only a command that is not sent and not final yet changes.
 */
export async function recordCommandSent(sql: Sql, commandId: string, sentAt: Date): Promise<void> {
  await sql.query(
    "update commands set state = 'sent', sent_at = $2 where id = $1 and state in ('queued', 'published')",
    [commandId, sentAt],
  );
}

/** What somebody knows of a command's end. */
export interface KnownOutcome {
  commandId: string;
  outcome: CommandOutcome;
  at: Date;
  /** The connection that the outcome is about: the word of a former attempt must not end a later one. */
  epoch?: number;
}

/** A command that surely was not sent, and may wait: the next connection is waited for. */
const NEXT_CONNECTION_AFTER = "2 seconds";

/**
 * Gives the command its one final state, and runs what follows from it (OUTCOME_EFFECTS). Whoever comes first decides: the
 * process that asked, the intake (lane event) or the sweep of deadlines; what comes later changes nothing. A command that
 * may wait (`when_connected`) and surely was not sent goes back to waiting instead, and the second word on that, for each
 * comes twice, leaves it there: only the station's own answer ends a command for which another connection is waited or in use.
 * @param sql of a transaction: the state and its effects are committed together. Where there are none, and the outcome is not
 * "not connected", it is one statement.
 * @returns whether this call gave the final state.
 */
export async function recordCommandOutcome(
  sql: Sql,
  { commandId, outcome, at, epoch }: KnownOutcome,
  deps: OutcomeDeps,
): Promise<boolean> {
  if (outcome.state === "not_connected" && (await waitsAgain(sql, commandId, epoch))) return false;
  const rows = await sql.query<EndedRow>(
    `update commands
     set state = $2, final_at = $3, sent_at = coalesce(sent_at, $4), answered_at = $5, response = $6, error = $7, reason = $8
     where id = $1 and final_at is null and ($9::bigint is null or $2 not in ('not_connected', 'unknown')
       or ((epoch is null or epoch = $9) and not (state = 'queued' and deliver = 'when_connected')))
     returning ${ENDED}`,
    [
      commandId,
      outcome.state,
      at,
      outcome.sentAtMs === undefined ? null : new Date(outcome.sentAtMs),
      outcome.answeredAtMs === undefined ? null : new Date(outcome.answeredAtMs),
      outcome.response === undefined ? null : storableText(outcome.response),
      outcome.error === undefined ? null : JSON.stringify(outcome.error),
      outcome.reason === undefined ? null : storableText(outcome.reason),
      epoch ?? null,
    ],
  );
  for (const row of rows) await runOutcomeEffects(sql, { ...endedCommand(row), answeredAs: outcome.answeredAs }, deps);
  return rows.length > 0;
}

async function waitsAgain(sql: Sql, commandId: string, epoch: number | undefined): Promise<boolean> {
  const rows = await sql.query(
    `update commands set state = 'queued', node_id = null, published_at = null, deadline_at = valid_until,
       wake_at = now() + interval '${NEXT_CONNECTION_AFTER}'
     where id = $1 and state = 'published' and deliver = 'when_connected' and valid_until > now()
       and ($2::bigint is null or epoch = $2)
     returning id`,
    [commandId, epoch ?? null],
  );
  return rows.length > 0;
}

/** What `returning` must give for `endedCommand`. */
export const ENDED = `id, station_id::text as station_id, org_id, ocpp_version, action, payload, requested_by, state, response, coalesce(answered_at, final_at) as at,
   deliver, extract(epoch from clock_timestamp() - created_at)::float8 as took_seconds`;

export interface EndedRow {
  id: string;
  station_id: string;
  org_id: string;
  ocpp_version: OcppVersion;
  action: string;
  payload: unknown;
  requested_by: string;
  state: CommandState;
  response: unknown;
  at: Date;
  deliver: "now" | "when_connected";
  took_seconds: number;
}

/** The row of a command that just ended, for the effects. */
export const endedCommand = (row: EndedRow): EndedCommand => ({
  commandId: row.id,
  stationId: row.station_id,
  orgId: row.org_id,
  version: row.ocpp_version,
  action: row.action,
  payload: row.payload,
  requestedBy: row.requested_by,
  state: row.state,
  deliver: row.deliver,
  tookSeconds: row.took_seconds,
  // Of an "error" it is what broke the schema.
  response: row.state === "error" ? undefined : (row.response ?? undefined),
  at: row.at,
});
