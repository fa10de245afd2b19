import type { Sql } from "../database.ts";
import { ENDED, endedCommand, type EndedRow } from "./record-outcome.ts";
import { type OutcomeDeps, runOutcomeEffects } from "./run-outcome-effects.ts";

/**
 * Ends a command of the organisation that waits for its station. @param sql of a transaction.
 * @returns false when it does not wait (any more), or is not there: nothing changed then.
 */
export async function cancelCommand(sql: Sql, orgId: string, commandId: string, deps: OutcomeDeps): Promise<boolean> {
  const [row] = await sql.query<EndedRow>(
    `update commands set state = 'not_connected', final_at = now(), reason = 'cancelled before it was sent'
     where id = $1 and org_id = $2 and state = 'queued' and deliver = 'when_connected' and final_at is null
     returning ${ENDED}`,
    [commandId, orgId],
  );
  if (row !== undefined) await runOutcomeEffects(sql, endedCommand(row), deps);
  return row !== undefined;
}

/** Ends a command that was claimed, and cannot be sent. @param sql of the transaction that claimed it: nobody saw it claimed. */
export async function endClaimed(sql: Sql, commandId: string, reason: string, deps: OutcomeDeps): Promise<void> {
  const rows = await sql.query<EndedRow>(
    `update commands set state = 'not_connected', final_at = now(), reason = $2, node_id = null, epoch = null, published_at = null
     where id = $1 and state = 'published' and final_at is null
     returning ${ENDED}`,
    [commandId, reason],
  );
  for (const row of rows) await runOutcomeEffects(sql, endedCommand(row), deps);
}

/** Ends all commands that wait for the station: another unit may stand in its place. @param sql of a transaction. */
export async function cancelWaitingCommands(sql: Sql, stationId: string, reason: string): Promise<void> {
  const rows = await sql.query<EndedRow>(
    `update commands set state = 'not_connected', final_at = now(), reason = $2
     where station_id = $1 and state = 'queued' and deliver = 'when_connected' and final_at is null
     returning ${ENDED}`,
    [stationId, reason],
  );
  for (const row of rows) await runOutcomeEffects(sql, endedCommand(row), {});
}

/**
 * Ends the commands that can never be sent any more: the station came back with another OCPP version. One that somebody has
 * claimed meanwhile, for a connection that came after this one, is left alone. @param sql of a transaction.
 */
export async function endThoseOfAnotherVersion(
  sql: Sql,
  stationId: string,
  epoch: number,
  deps: OutcomeDeps,
): Promise<void> {
  const rows = await sql.query<EndedRow>(
    `update commands set state = 'not_connected', final_at = now(), reason = 'the charge point came back with another OCPP version'
     where station_id = $1 and state = 'queued' and deliver = 'when_connected' and final_at is null
       and exists (select 1 from station_connections k
                   where k.station_id = $1 and k.epoch = $2 and k.ocpp_version <> commands.ocpp_version)
     returning ${ENDED}`,
    [stationId, epoch],
  );
  for (const row of rows) await runOutcomeEffects(sql, endedCommand(row), deps);
}
