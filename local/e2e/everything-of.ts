import type { Evidence } from "./ledger-check.ts";

/** Everything in the database that belongs to a station, or to an organisation, as text. */
export async function everythingOf(
  evidence: Evidence,
  column: "station_id" | "org_id",
  value: string,
): Promise<Record<string, string[]>> {
  const tables = await evidence.sql<{ name: string }>(
    `select c.table_name as name from information_schema.columns c
     join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and c.column_name = $1 and t.table_type = 'BASE TABLE'
       and not exists (select 1 from pg_inherits i where i.inhrelid = c.table_name::regclass) order by 1`,
    [column],
  );
  const all: Record<string, string[]> = {};
  for (const { name } of tables) {
    const rows = await evidence.sql<{ row: string }>(
      `select to_jsonb(t)::text as row from ${name} t where ${column}::text = $1 order by 1`,
      [value],
    );
    all[name] = rows.map(({ row }) => row);
  }
  return all;
}
