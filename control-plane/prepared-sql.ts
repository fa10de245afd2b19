import type pg from "pg";
import type { Sql } from "./database.ts";

/** Statement → its name on every connection. The texts are ours and few; should they not be, the rest goes without a name. */
const names = new Map<string, string>();
const MAX_NAMES = 300;

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_NAMES) return known;
  const name = `prepared_${names.size + 1}`;
  names.set(text, name);
  return name;
}

/**
 * SQL on a pool, each statement parsed and planned once on each connection, for paths on which somebody waits for every
 * millisecond. A connection on which a statement fails is not used again, so what was prepared before a migration does not
 * outlive it for long.
 */
export function preparedSqlOn(pool: pg.Pool): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const name = nameOf(text);
      const result = await pool.query({ text, values: [...values], ...(name !== undefined && { name }) });
      return result.rows as Row[];
    },
  };
}
