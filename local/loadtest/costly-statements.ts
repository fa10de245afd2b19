import type { LoadedSystem } from "./start-system.ts";

export interface Statement {
  calls: number;
  milliseconds: number;
  query: string;
}

const SHOWN = 12;
const QUERY_LENGTH = 160;

/** What Postgres has to be started with to be asked for its statements. */
export const STATEMENT_PARAMETERS = {
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.max": "1000",
};

/** Counts from now on. */
export async function countStatements({ sql }: Pick<LoadedSystem, "sql">): Promise<void> {
  await sql(`create extension if not exists pg_stat_statements`);
  await sql(`select pg_stat_statements_reset()`);
}

/** The statements that Postgres has spent the most time with, the most costly first; constants are left out of them. */
export async function costlyStatements({ sql }: Pick<LoadedSystem, "sql">): Promise<Statement[]> {
  const rows = await sql<{ calls: string; ms: number; query: string }>(
    `select calls, total_exec_time + total_plan_time as ms, query from pg_stat_statements order by 2 desc limit ${SHOWN}`,
  );
  return rows.map(({ calls, ms, query }) => ({
    calls: Number(calls),
    milliseconds: ms,
    query: query.replaceAll(/\s+/g, " ").slice(0, QUERY_LENGTH),
  }));
}
