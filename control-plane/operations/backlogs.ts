import type { Sql } from "../database.ts";

/** Work that waits, as Postgres has it. Seconds are since the longest overdue of a kind was due; 0: nothing is. */
export interface Backlogs {
  openDeadLetters: number;
  openGaps: number;
  overdueCommands: number;
  webhookLateSeconds: number;
  fanOutLateSeconds: number;
  mailLateSeconds: number;
  registryLateSeconds: number;
  /** By us, not by their owners. */
  disabledEndpoints: number;
}

/** More is as bad as this many. */
const COUNTED = 10_000;
/** The sweep for overdue commands waits for the lanes after an outage; what is later than this it has not seen. */
const OVERDUE = "60 seconds";

const late = (column: string, table: string, where: string) =>
  `coalesce((select extract(epoch from now() - min(${column})) from ${table} where ${where} and ${column} < now()), 0)::float8`;

/** Reads all of it in one statement, each part by an index. Rejects when Postgres is away. */
export async function readBacklogs(sql: Sql): Promise<Backlogs> {
  const [row] = await sql.query<Backlogs>(
    `select
       (select count(*) from (select 1 from dead_letters where replayed_at is null and discarded_at is null limit ${COUNTED}) d)::int as "openDeadLetters",
       (select count(*) from lane_gaps where acknowledged_at is null)::int as "openGaps",
       (select count(*) from (select 1 from commands where final_at is null and deadline_at < now() - interval '${OVERDUE}' limit ${COUNTED}) c)::int as "overdueCommands",
       ${late("d.next_attempt_at", "webhook_endpoints e join webhook_deliveries d on d.endpoint_id = e.id", "d.status = 'pending' and e.status = 'active' and e.deleted_at is null")} as "webhookLateSeconds",
       ${late("recorded_at", "events", "fanned_out_at is null")} as "fanOutLateSeconds",
       ${late("next_attempt_at", "mails", "status = 'pending'")} as "mailLateSeconds",
       ${late("requested_at", "registry_outbox", "true")} as "registryLateSeconds",
       (select count(*) from webhook_endpoints where status = 'disabled' and disabled_reason <> 'disabled by its owner' and deleted_at is null)::int as "disabledEndpoints"`,
  );
  if (row === undefined) throw new Error("a select without rows");
  return row;
}
