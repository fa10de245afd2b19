import { Migrator } from "@mikro-orm/migrations";
import { MikroORM, type Options, type SqlEntityManager } from "@mikro-orm/postgresql";
import { CompiledQuery } from "kysely";
import pg from "pg";
import { MIGRATIONS } from "./migrations/list.ts";

/** Runs SQL with `$1` parameters, arrays included, in whatever transaction it belongs to. */
export interface Sql {
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** COPY … FROM STDIN, with lines of its text format (pg-text.ts). Only the intake's batches have it (batch-sql.ts). */
  copy?(text: string, lines: string): Promise<void>;
  /** Told of the events that are recorded in the transaction (record-event.ts), which may yet be rolled back. For tracing alone. */
  eventsRecorded?(events: readonly RecordedEvent[]): void;
}

/** An event of the webhooks, as it was recorded. */
export interface RecordedEvent {
  id: string;
  data: object;
  /** When the message came that it tells of. */
  receivedAt: Date | undefined;
}

/** The last wall for statements, not their deadline. */
const STATEMENT_LIMITS = {
  statement_timeout: 30_000,
  // For a server that is gone without a word: longer than any statement may take.
  query_timeout: 40_000,
} as const;

/**
 * For migrations: an index of a large table takes as long as it takes. They wait for a lock only this long, because
 * whatever comes after them waits behind them.
 */
export const MIGRATION_LIMITS = { lock_timeout: 2_000 } as const;

/** Domain code's connection: one EntityManager fork per request or job. */
export async function openOrm(
  databaseUrl: string,
  entities: NonNullable<Options["entities"]>,
  poolSize: number,
  limits: typeof STATEMENT_LIMITS | typeof MIGRATION_LIMITS = STATEMENT_LIMITS,
): Promise<MikroORM> {
  return MikroORM.init({
    clientUrl: databaseUrl,
    entities,
    discovery: { warnWhenNoEntities: false },
    // What fails is thrown to who asked; its own lines are no JSON.
    logger: () => {},
    extensions: [Migrator],
    // A transaction each: all in one would hold the locks of the first until the last is done.
    migrations: { migrationsList: MIGRATIONS, snapshot: false, transactional: true, allOrNothing: false },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      connectionTimeoutMillis: 5_000,
      ...limits,
      keepAlive: true,
      idle_in_transaction_session_timeout: 60_000,
      onPoolCreated: (pool: pg.Pool) => {
        // As in openPool.
        pool.on("connect", (client) => client.on("error", () => {}));
        // The ORM leaves times as text; with Dates a statement gives the same rows through sqlOf as through sqlOn.
        (pool.options.types as pg.TypeOverrides | undefined)?.setTypeParser(
          pg.types.builtins.TIMESTAMPTZ,
          (text: string) => new Date(text),
        );
      },
    },
    forceUtcTimezone: true,
    ignoreUndefinedInQuery: true,
  });
}

/** SQL inside the transaction of an EntityManager (or on a pooled connection when there is none). */
export function sqlOf(em: SqlEntityManager): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const kysely = em.getTransactionContext() ?? em.getKysely();
      const result = await (kysely as ReturnType<typeof em.getKysely>).executeQuery(
        CompiledQuery.raw(text, [...values]),
      );
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
    ...STATEMENT_LIMITS,
    keepAlive: true,
    idle_in_transaction_session_timeout: 60_000,
  });
  // An idle connection that breaks must not end the process; the next query gets a new one.
  pool.on("error", () => {});
  // Nor one that breaks between two statements of who holds it: the next of them fails, and says so.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** SQL on a pg client or pool. */
export function sqlOn(client: pg.ClientBase | pg.Pool): Sql {
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
      (fault: Error) => client.release(fault),
    );
    throw cause;
  }
}
