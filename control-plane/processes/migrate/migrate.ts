import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import { MIGRATION_LIMITS, openOrm } from "../../database.ts";
import { isOutage } from "../../http/outage.ts";

/** One number among all users of advisory locks in this database: "dynamo migrations". */
const LOCK = 4_711_000_001;

/** deadlock_detected, lock_not_available: processes of the former release are at work. */
const MET_OTHERS = new Set(["40P01", "55P03"]);
/** With MIGRATION_LIMITS and the pauses a quarter of an hour or so. */
const MAX_ATTEMPTS = 300;

/**
 * Runs the migrations that are missing, each in a transaction of its own. Waits up to `waitMs` for Postgres, for another
 * process that migrates, and for a moment in which the tables are free; in between whoever uses them goes on.
 * Resolves to the names of those that it ran. Rejects when Postgres stays away or a migration fails: then it and those behind it took no effect. Safe to run again.
 */
export async function migrate({
  databaseUrl,
  waitMs,
  log,
}: {
  databaseUrl: string;
  waitMs: number;
  log: Logger;
}): Promise<string[]> {
  const lock = await connectPatiently(databaseUrl, waitMs, log);
  try {
    // Of the session, not of a transaction: the migrator has connections and transactions of its own.
    await lock.query("select pg_advisory_lock($1)", [LOCK]);
    const orm = await openOrm(databaseUrl, [], 2, MIGRATION_LIMITS);
    try {
      const before = new Set((await orm.migrator.getExecuted()).map(({ name }) => name));
      await upPatiently(orm, log);
      const migrations = (await orm.migrator.getExecuted()).map(({ name }) => name).filter((name) => !before.has(name));
      log.info({ migrations }, migrations.length > 0 ? "migrated" : "nothing to migrate");
      return migrations;
    } finally {
      await orm.close();
    }
  } finally {
    await lock.end();
  }
}

async function upPatiently(orm: Awaited<ReturnType<typeof openOrm>>, log: Logger): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await orm.migrator.up();
      return;
    } catch (fault) {
      const code = codeOf(fault);
      if (code === undefined || !MET_OTHERS.has(code) || attempt >= MAX_ATTEMPTS) throw fault;
      if (attempt === 1) log.info({ code }, "waiting for tables that are in use");
      await pause(500 + Math.random() * 1_000);
    }
  }
}

/** The SQLSTATE, however deep the migrator has wrapped it. */
function codeOf(fault: unknown): string | undefined {
  for (let at = fault, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") return code;
  }
  return undefined;
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
