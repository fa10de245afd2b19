import pg from "pg";
import type { Logger } from "pino";
import { isOutage } from "../../http/outage.ts";
import { MIGRATIONS } from "../../migrations/list.ts";

const EVERY_MS = 1_000;
/** undefined_table: nobody has migrated this database yet. */
const NO_TABLE = "42P01";

/**
 * Waits until every migration of this release has been run by whoever runs them, and for a Postgres that does not answer.
 * A newer schema is fine: migrations add. Rejects on anything that waiting does not cure, such as a wrong password.
 */
export async function awaitSchema({
  databaseUrl,
  pause,
  log,
}: {
  databaseUrl: string;
  pause(ms: number): Promise<unknown>;
  log: Logger;
}): Promise<void> {
  for (let told = ""; ; await pause(EVERY_MS)) {
    const missing = await missingMigrations(databaseUrl);
    if (Array.isArray(missing) && missing.length === 0) return;
    const reason = Array.isArray(missing) ? "migrations are missing" : missing;
    if (reason !== told) log.info({ reason, missing }, "waiting for the schema");
    told = reason;
  }
}

/** Names, or why Postgres does not say. */
async function missingMigrations(databaseUrl: string): Promise<string[] | "postgres is away"> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
    application_name: "dynamo wait",
  });
  // One that breaks is reported by the query that was under way.
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>("select name from mikro_orm_migrations");
    const done = new Set(rows.map(({ name }) => name));
    return MIGRATIONS.map(({ name }) => name).filter((name) => !done.has(name));
  } catch (fault) {
    if ((fault as { code?: unknown }).code === NO_TABLE) return MIGRATIONS.map(({ name }) => name);
    if (isOutage(fault)) return "postgres is away";
    throw fault;
  } finally {
    await client.end().catch(() => {});
  }
}
