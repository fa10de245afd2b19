import type { Sql } from "../../database.ts";
import { MIGRATIONS } from "../../migrations/list.ts";
import { type Check, Findings } from "./finding.ts";

const AWAY = "postgres-away";
const STRAINED = "postgres-slow";

/** The server that holds everything that lasts: its version, schema and settings, and what holds it up. */
export function postgresCheck(sql: Sql, replayWindowMs: number): Check {
  return {
    name: "postgres",
    runbook: AWAY,
    async run() {
      const say = new Findings("postgres");
      await checkServer(say, sql);
      await checkMigrations(say, sql);
      await checkConnections(say, sql);
      await checkTransactions(say, sql);
      await checkCopies(say, sql, replayWindowMs);
      return say.all;
    },
  };
}

async function checkServer(say: Findings, sql: Sql): Promise<void> {
  const [server] = await sql.query<Record<"version" | "readonly" | "fsync" | "pages" | "commit" | "size", string>>(
    `select current_setting('server_version') as version, current_setting('transaction_read_only') as readonly, current_setting('fsync') as fsync,
            current_setting('full_page_writes') as pages, current_setting('synchronous_commit') as commit, pg_size_pretty(pg_database_size(current_database())) as size`,
  );
  if (server === undefined) return;
  if (Number.parseInt(server.version) < 15) say.problem(`is version ${server.version}`, "Run Postgres 15 or newer.");
  else say.ok(`version ${server.version}, the database has ${server.size}`);
  if (server.readonly !== "off")
    say.problem("takes no writes (a standby, or read-only)", "DATABASE_URL must lead to the primary.", AWAY);
  if (server.fsync !== "on" || server.pages !== "on")
    say.warning(
      `fsync is ${server.fsync}, full_page_writes ${server.pages}: a crash of the machine may destroy the database`,
      "Set both to on, unless its data may be lost.",
    );
  if (server.commit === "off")
    say.warning(
      "synchronous_commit is off: a crash loses what was just committed",
      "Set it to on: starts that were answered come back from the lanes, REST's work does not.",
    );
}

async function checkMigrations(say: Findings, sql: Sql): Promise<void> {
  const [table] = await sql.query<{ there: boolean }>(
    `select to_regclass('mikro_orm_migrations') is not null as there`,
  );
  const rows = table?.there === true ? await sql.query<{ name: string }>(`select name from mikro_orm_migrations`) : [];
  const done = new Set(rows.map(({ name }) => name));
  const missing = MIGRATIONS.map(({ name }) => name).filter((name) => !done.has(name));
  const further = [...done].filter((name) => !MIGRATIONS.some((migration) => migration.name === name));
  if (missing.length > 0)
    say.problem(
      `${missing.length} of ${MIGRATIONS.length} migrations are missing, the first is ${missing[0]}`,
      "Run control-plane/processes/migrate/main.ts of this release (docs/upgrading.md).",
      AWAY,
    );
  else if (further.length > 0)
    say.warning(`its schema is of a newer release (${further.join(", ")})`, "Run the doctor of that release.");
  else say.ok(`all ${MIGRATIONS.length} migrations are in force`);
}

async function checkConnections(say: Findings, sql: Sql): Promise<void> {
  const [row] = await sql.query<{ used: number; most: number }>(
    `select (select sum(numbackends)::int from pg_stat_database) as used,
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most`,
  );
  if (row === undefined) return;
  const seen = `${row.used} of ${row.most} connections are in use`;
  const remedy = "Raise max_connections, or lower the *_POSTGRES_CONNECTIONS of the processes.";
  if (row.used > 0.95 * row.most) say.problem(seen, remedy, STRAINED);
  else if (row.used > 0.8 * row.most) say.warning(seen, remedy, STRAINED);
  else say.ok(seen);
}

async function checkTransactions(say: Findings, sql: Sql): Promise<void> {
  const old = await sql.query<{ pid: number; name: string; minutes: number; state: string }>(
    `select pid, coalesce(nullif(application_name, ''), usename, '') as name, (extract(epoch from now() - xact_start) / 60)::int as minutes, state
     from pg_stat_activity where xact_start < now() - interval '10 minutes'
       and pid <> pg_backend_pid() and datname = current_database() and application_name <> 'dynamo jobs sweeps' order by xact_start limit 5`,
  );
  for (const { pid, name, minutes, state } of old)
    say.warning(
      `the transaction of ${name} (pid ${pid}, ${state}) is open for ${minutes} min`,
      `It holds up vacuum, and whoever wants its rows. If it is nobody's: select pg_terminate_backend(${pid}).`,
      STRAINED,
    );
  const [locks] = await sql.query<{ waiting: number }>(
    `select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock' and state_change < now() - interval '10 seconds' and datname = current_database()`,
  );
  if ((locks?.waiting ?? 0) > 0)
    say.warning(
      `${locks?.waiting} sessions have waited for a lock for more than 10 s`,
      "select pid, pg_blocking_pids(pid) from pg_stat_activity where wait_event_type = 'Lock' tells for whom.",
      STRAINED,
    );
}

/** Standbys and archived WAL: what there is when this server is lost. */
async function checkCopies(say: Findings, sql: Sql, replayWindowMs: number): Promise<void> {
  const standbys = await sql.query<{ name: string; lag: number | null }>(
    `select application_name as name, extract(epoch from replay_lag)::float8 as lag from pg_stat_replication`,
  );
  const [archiver] = await sql.query<{ mode: string; failing: boolean }>(
    `select current_setting('archive_mode') as mode, coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as failing from pg_stat_archiver`,
  );
  const slots = await sql.query<{ name: string; behind: string }>(
    `select slot_name as name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) as behind from pg_replication_slots
     where not active and not pg_is_in_recovery() and pg_wal_lsn_diff(case when pg_is_in_recovery() then null else pg_current_wal_lsn() end, restart_lsn) > 1073741824`,
  );
  const late = standbys.filter(({ lag }) => (lag ?? 0) * 1_000 > replayWindowMs);
  for (const { name, lag } of late)
    say.warning(
      `the standby ${name} is ${Math.round(lag ?? 0)} s behind, more than REPLAY_WINDOW (${replayWindowMs / 1_000} s)`,
      "A failover to it would lose what the lanes no longer have: raise REPLAY_WINDOW, or find what slows it.",
      STRAINED,
    );
  if (archiver?.failing === true)
    say.problem("archiving of its WAL fails", "Repair archive_command: WAL heaps up until the disk is full.", STRAINED);
  for (const { name, behind } of slots)
    say.warning(
      `the replication slot ${name} is unused and holds ${behind} of WAL`,
      "Drop it, or start its standby.",
      STRAINED,
    );
  if (standbys.length === 0 && archiver?.mode === "off")
    say.warning("has neither a standby nor a WAL archive", "Its last backup is all that is left when it is lost.");
  else if (late.length === 0)
    say.ok(`${standbys.length} standbys, archiving ${archiver?.mode === "off" ? "off" : "on"}`);
}
