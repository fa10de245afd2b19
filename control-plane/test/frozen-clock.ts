import pg from "pg";

/**
 * Lets time stand still in a database: its `now()` is the same moment for every connection opened from here on, whatever
 * the machine is busy with. An hour ahead of the real time, which columns' defaults still take. To be called before the
 * database's pool is used.
 */
export async function freezeClock(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    // Found before pg_catalog's, because pg_catalog is named after its schema.
    await client.query(`
      create schema clock;
      create table clock.moment as select pg_catalog.now() + interval '1 hour' as at;
      create function clock.now() returns timestamptz language sql stable as 'select at from clock.moment';
      do $$ begin
        execute format('alter database %I set search_path = clock, pg_catalog, public', current_database());
      end $$`);
  } finally {
    await client.end();
  }
}
