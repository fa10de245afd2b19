import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { Redis } from "ioredis";
import type { Cluster } from "./cluster.ts";
import type { Evidence } from "./ledger-check.ts";

/** How the rows of an organisation ($1) are told by a column that a table has; the first that fits counts. */
const BY_COLUMN: readonly [column: string, predicate: string][] = [
  ["org_id", "t.org_id = $1"],
  ["station_id", "t.station_id in (select id from stations where org_id = $1)"],
  ["project_id", "t.project_id in (select id from projects where org_id = $1)"],
  ["endpoint_id", "t.endpoint_id in (select id from webhook_endpoints where org_id = $1)"],
  ["identity", "t.identity in (select identity from stations where org_id = $1)"],
  ["command_id", "t.command_id in (select id from commands where org_id = $1)"],
];

const ITS_INSTALLERS =
  "(select a.installer_id from project_installers a join projects p on p.id = a.project_id where p.org_id = $1)";

/** The tables that no such column tells. */
const BY_TABLE: Record<string, string> = {
  organizations: "t.id = $1",
  installers: `t.id in ${ITS_INSTALLERS}`,
  installer_tokens: `t.installer_id in ${ITS_INSTALLERS}`,
  commissioning_checks:
    "t.commissioning_id in (select c.id from commissionings c join projects p on p.id = c.project_id where p.org_id = $1)",
  // What an attack would set in motion: mails to the organisation itself.
  mails: "t.recipient = (select contact_email from organizations where id = $1)",
};

/** Tables that hold nothing of an organisation, or what may change without anybody touching its things; with the reason. */
const NOBODYS: Record<string, string> = {
  audit_log: "it takes down what a stranger to a project tried, at the organisation whose project it is",
  idempotency_keys: "they are the callers'",
  revoked_access_tokens: "they name tokens, and are written by the sessions of strangers",
  lanes: "the gateways'",
  lane_gaps: "the gateways'",
  meter_shapes: "shared by all",
  mikro_orm_migrations: "the schema's",
};

/** Columns that a stranger with a good key of the same house moves by showing it. */
const UNCOUNTED: Record<string, string> = { api_keys: "last_used_at" };

/** Every table that there is, with how it is told whose its rows are: undefined for one that nobody has thought of. */
export async function ownershipOfTables(evidence: Evidence): Promise<Map<string, string | undefined>> {
  const tables = await evidence.sql<{ name: string; columns: string[] }>(
    `select c.table_name as name, array_agg(c.column_name::text) as columns from information_schema.columns c
     join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
       and not exists (select 1 from pg_inherits i where i.inhrelid = (quote_ident(c.table_name))::regclass)
     group by 1 order by 1`,
  );
  return new Map(
    tables
      .filter(({ name }) => NOBODYS[name] === undefined)
      .map(({ name, columns }) => {
        const column = BY_COLUMN.find(([candidate]) => columns.includes(candidate));
        return [name, BY_TABLE[name] ?? column?.[1]] as const;
      }),
  );
}

/**
 * The organisation's rows, byte for byte: how many each table has and what they come to, and what the gateways know of its
 * charge points.
 */
export async function fingerprint(
  cluster: Cluster,
  evidence: Evidence,
  orgId: string,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [table, predicate] of await ownershipOfTables(evidence)) {
    if (predicate === undefined) throw new Error(`nobody says whose the rows of ${table} are`);
    const [row] = await evidence.sql<{ sum: string }>(
      `select count(*) || ' rows, ' || coalesce(md5(string_agg(line, chr(10) order by line)), '') as sum
       from (select (to_jsonb(t) - $2::text)::text as line from ${table} t where ${predicate}) lines`,
      [orgId, UNCOUNTED[table] ?? ""],
    );
    found[table] = row?.sum ?? "";
  }
  const redis = new Redis(cluster.redisUrl);
  try {
    for (const { identity } of await evidence.sql<{ identity: StationIdentity }>(
      "select identity from stations where org_id = $1",
      [orgId],
    ))
      found[`redis ${identity}`] = JSON.stringify(await redis.hgetall(stationRecord(identity)));
  } finally {
    redis.disconnect();
  }
  return found;
}
