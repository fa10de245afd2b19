import type pg from "pg";
import { MIGRATIONS } from "../migrations/list.ts";

/**
 * Whether a process can work with its Postgres, for /readyz: it answers, takes writes (a standby does not), and has the schema of
 * this build. Through the pool that the work goes through: one that is exhausted, or whose server hangs, is no use either. Rejects, or
 * hangs for as long as a statement may, when it is not; whoever asks has a limit.
 */
export function createPostgresCheck(pool: pg.Pool): () => Promise<boolean> {
  // Migrations are never taken back.
  let migrated = false;
  return async () => {
    if (!migrated) {
      const { rows } = await pool.query<{ n: number }>(
        `select count(*)::int as n from mikro_orm_migrations where name = any($1::text[])`,
        [MIGRATIONS.map(({ name }) => name)],
      );
      if (rows[0]?.n !== MIGRATIONS.length) return false;
      migrated = true;
    }
    const { rows } = await pool.query<{ readonly: string }>(
      `select current_setting('transaction_read_only') as readonly`,
    );
    return rows[0]?.readonly === "off";
  };
}
