import { createLogger } from "@dynamo-csms/proto/process/logger";
import { type Sql, sqlOn } from "../../database.ts";
import { MIGRATIONS } from "../../migrations/list.ts";
import { migrate } from "../migrate/migrate.ts";
import { defineCommand } from "./cli-command.ts";
import { onPostgres, readDatabaseUrl } from "./with-servers.ts";

/** Somebody waits: an outage is told at once. */
const WAIT_MS = 5_000;

/** undefined_table: nobody has migrated this database yet. */
const NO_TABLE = "42P01";

async function missingMigrations(sql: Sql): Promise<string[]> {
  const done = await sql.query<{ name: string }>("select name from mikro_orm_migrations").catch((fault: unknown) => {
    if ((fault as { code?: unknown }).code === NO_TABLE) return [];
    throw fault;
  });
  const names = new Set(done.map(({ name }) => name));
  return MIGRATIONS.map(({ name }) => name).filter((name) => !names.has(name));
}

/** The schema of this release. Not in the audit log: that may be what is missing. */
export const migrateCommand = defineCommand({
  name: "migrate",
  summary: "Brings the database to the schema of this release, while the former one runs.",
  more: "As the migrate process does: run again where it was broken off, and by several at once.",
  flags: { pending: { help: "prints what is missing, and changes nothing; exit code 1 when something is" } },
  examples: ["migrate --pending", "migrate"],
  reads: true,
  async run({ pending }, io) {
    if (pending === true)
      return onPostgres(io, async (pool) => {
        const missing = await missingMigrations(sqlOn(pool));
        for (const migration of missing) io.print({ migration });
        if (missing.length > 0) io.fail();
      });
    const log = createLogger("info", "migrate", { destination: process.stderr });
    const migrations = await migrate({ databaseUrl: readDatabaseUrl(io), waitMs: WAIT_MS, log });
    io.print({ migrations });
  },
});
