import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";

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

/**
 * Gives the command its one final state. Whoever comes first decides: the process that asked, the intake (lane event) or
 * the sweep of deadlines; what comes later changes nothing. Safe inside any transaction: it locks this row only.
 * @returns whether this call decided.
 */
export async function recordCommandOutcome(
  sql: Sql,
  commandId: string,
  outcome: CommandOutcome,
  at: Date,
): Promise<boolean> {
  const rows = await sql.query(
    `update commands
     set state = $2, final_at = $3, sent_at = coalesce(sent_at, $4), answered_at = $5, response = $6, error = $7, reason = $8
     where id = $1 and final_at is null
     returning id`,
    [
      commandId,
      outcome.state,
      at,
      outcome.sentAtMs === undefined ? null : new Date(outcome.sentAtMs),
      outcome.answeredAtMs === undefined ? null : new Date(outcome.answeredAtMs),
      outcome.response === undefined ? null : storableText(outcome.response),
      outcome.error === undefined ? null : JSON.stringify(outcome.error),
      outcome.reason === undefined ? null : storableText(outcome.reason),
    ],
  );
  return rows.length > 0;
}
