import type { Sql } from "../database.ts";

/** The gateway's word may still be in the lane: the intake is normally 50 ms behind, and its process may restart. */
const GRACE_SECONDS = 5;

/**
 * Ends commands that nobody followed to their end, because the process that asked died: `unknown` where a gateway may have
 * had it, `not_connected` where surely none had. A late outcome from the lane changes nothing any more.
 * @returns how many it ended.
 */
export async function endOverdueCommands(sql: Sql, limit: number): Promise<number> {
  const rows = await sql.query(
    `update commands
     set final_at = now(),
       state = case when state = 'queued' then 'not_connected' else 'unknown' end,
       reason = case when state = 'queued' then 'never handed to a gateway' else 'no word from the gateway by the deadline' end
     where id in (
       select id from commands where final_at is null and deadline_at < now() - make_interval(secs => $2)
       order by deadline_at limit $1 for update skip locked)
       and final_at is null
     returning id`,
    [limit, GRACE_SECONDS],
  );
  return rows.length;
}
