import type { LoadedSystem } from "./start-system.ts";

/** How much Postgres holds and has written so far, in bytes. */
export interface StoredBytes {
  database: number;
  /** Write-ahead log, since ever. */
  wal: number;
}

/** @returns what Postgres says of itself at this moment */
export async function storedBytes({ sql }: Pick<LoadedSystem, "sql">): Promise<StoredBytes> {
  const [row] = await sql<{ database: string; wal: string }>(
    `select pg_database_size(current_database()) as database, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as wal`,
  );
  return { database: Number(row?.database), wal: Number(row?.wal) };
}
