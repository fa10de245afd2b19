import type { AnyEntity, EntityName } from "@mikro-orm/core";
import { Migrator } from "@mikro-orm/migrations";
import { MikroORM, type SqlEntityManager } from "@mikro-orm/postgresql";
import { CompiledQuery } from "kysely";
import pg from "pg";
import { MIGRATIONS } from "./migrations/list.ts";

/** Runs SQL with `$1` parameters, arrays included, in whatever transaction it belongs to. */
export interface Sql {
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** Domain code's connection: one EntityManager fork per request or job. */
export async function openOrm(databaseUrl: string, entities: EntityName<AnyEntity>[], poolSize: number): Promise<MikroORM> {
  return MikroORM.init({
    clientUrl: databaseUrl,
    entities,
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    migrations: { migrationsList: MIGRATIONS, snapshot: false, transactional: true, allOrNothing: true },
    pool: { min: 0, max: poolSize },
    forceUtcTimezone: true,
    ignoreUndefinedInQuery: true,
  });
}

/** SQL inside the transaction of an EntityManager (or on a pooled connection when there is none). */
export function sqlOf(em: SqlEntityManager): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const kysely = em.getTransactionContext() ?? em.getKysely();
      const result = await (kysely as ReturnType<typeof em.getKysely>).executeQuery(CompiledQuery.raw(text, [...values]));
      return result.rows as Row[];
    },
  };
}

/** The hot paths' pool (intake, decisions): plain pg, set-based statements. Its timeouts are the last wall, not the deadline. */
export function openPool(databaseUrl: string, size: number, applicationName: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: size,
    application_name: applicationName,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 60_000,
  });
  // An idle connection that breaks must not end the process; the next query gets a new one.
  pool.on("error", () => {});
  return pool;
}

/** SQL on a pg client or pool. */
export function sqlOn(client: pg.PoolClient | pg.Pool): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const result = await client.query(text, [...values]);
      return result.rows as Row[];
    },
  };
}

/** Runs `work` in one transaction of its own on the pool: committed when it resolves, rolled back when it throws. */
export async function inTransaction<T>(pool: pg.Pool, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work(sqlOn(client));
    await client.query("commit");
    client.release();
    return result;
  } catch (cause) {
    // A connection whose rollback fails is broken: taken out of the pool.
    await client.query("rollback").then(
      () => client.release(),
      (rollbackFault: Error) => client.release(rollbackFault),
    );
    throw cause;
  }
}
