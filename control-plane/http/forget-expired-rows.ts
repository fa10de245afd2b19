import type { Sql } from "../database.ts";

/** Rows that nothing looks at any more. Deleting them twice, or in several processes at once, is harmless. */
const EXPIRED = [
  `delete from idempotency_keys where created_at < now() - interval '24 hours'`,
  `delete from revoked_access_tokens where expires_at < now() - interval '1 hour'`,
  // Used links stay until they would have expired: opening one again says that it was used well.
  `delete from installer_tokens where expires_at < now() - interval '30 days'`,
  // Sign-ups that nobody verified, unless a project counts on them.
  `delete from installers i where status = 'pending_verification' and created_at < now() - interval '30 days'
     and not exists (select 1 from project_installers a where a.installer_id = i.id)`,
];

/** Deletes what the REST API keeps for a while and needs no more. */
export async function forgetExpiredRows(sql: Sql): Promise<void> {
  for (const statement of EXPIRED) await sql.query(statement);
}
