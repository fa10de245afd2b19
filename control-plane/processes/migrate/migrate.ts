import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import { openOrm } from "../../database.ts";
import { isOutage } from "../../http/outage.ts";

/** One number among all users of advisory locks in this database: "dynamo migrations". */
const LOCK = 4_711_000_001;

/**
 * Runs the migrations that are missing. Waits up to `waitMs` for Postgres, and for another process that migrates.
 * Rejects when Postgres stays away or a migration fails: then none of this run's migrations took effect.
 */
export async function migrate({
  databaseUrl,
  waitMs,
  log,
}: {
  databaseUrl: string;
  waitMs: number;
  log: Logger;
}): Promise<void> {
  const lock = await connectPatiently(databaseUrl, waitMs, log);
  try {
    // Of the session, not of a transaction: the migrator has connections and transactions of its own.
    await lock.query("select pg_advisory_lock($1)", [LOCK]);
    const orm = await openOrm(databaseUrl, [], 2);
    try {
      const done = await orm.migrator.up();
      log.info(
        { migrations: done.map((migration) => migration.name) },
        done.length > 0 ? "migrated" : "nothing to migrate",
      );
    } finally {
      await orm.close();
    }
  } finally {
    await lock.end();
  }
}

async function connectPatiently(databaseUrl: string, waitMs: number, log: Logger): Promise<pg.Client> {
  const giveUpAt = Date.now() + waitMs;
  for (let told = false; ; told = true) {
    const client = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: 5_000,
      application_name: "dynamo migrate",
    });
    // A connection that breaks while it waits is reported by the query that was under way.
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (fault) {
      await client.end().catch(() => {});
      if (!isOutage(fault) || Date.now() > giveUpAt) throw fault;
      if (!told) log.info({ reason: (fault as Error).message }, "waiting for postgres");
      await pause(500);
    }
  }
}
