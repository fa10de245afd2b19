import type pg from "pg";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { type PartitionRange, type PartitionSpan, rangeOfSuffix, rangesAhead } from "./partition-ranges.ts";

export interface PartitionedTable {
  table: "message_log" | "meter_values" | "station_events" | "data_transfers";
  /** The column that it is partitioned by. */
  column: "received_at" | "sampled_at" | "occurred_at";
  span: PartitionSpan;
  /** Whole partitions older than this are dropped. */
  keepDays: number;
}

/** So many days of an absent jobs process do no harm: rows then go to the default partition, and are moved later. */
const AHEAD_DAYS = 3;
/** The intake waits as long for us at the most; what could not be done is tried again at the next sweep. */
const LOCK_TIMEOUT = "2s";
/**
 * Old rows of the default partition go in pieces. There are those of stations with a wrong clock: how old they are is told by
 * ours, or what a station without a clock says would be gone ten minutes later.
 */
const DEFAULT_ROWS = 5_000;

/** Makes the partitions of the next days and drops those whose time is over. Safe to repeat, and to interrupt anywhere. */
export async function keepPartitions(pool: pg.Pool, tables: readonly PartitionedTable[], now: Date): Promise<void> {
  for (const table of tables) {
    const existing = new Set(await suffixesOf(sqlOn(pool), table));
    for (const range of rangesAhead(table.span, now, AHEAD_DAYS))
      if (!existing.has(range.suffix)) await addPartition(pool, table, range);
    const cutoff = new Date(now.getTime() - table.keepDays * 86_400_000);
    for (const suffix of existing) {
      const range = rangeOfSuffix(suffix);
      if (range !== undefined && range.to <= cutoff) await dropPartition(pool, table, suffix);
    }
    await sqlOn(pool).query(
      `delete from ${table.table}_default where ctid = any(array(select ctid from ${table.table}_default where received_at < $1 limit $2))`,
      [cutoff, DEFAULT_ROWS],
    );
  }
}

async function suffixesOf(sql: Sql, { table }: PartitionedTable): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass",
    [table],
  );
  return rows.map((row) => row.name.slice(table.length + 1));
}

/** Rows of that time may lie in the default partition already: they move into the new one in the same transaction. */
async function addPartition(
  pool: pg.Pool,
  { table, column }: PartitionedTable,
  { suffix, from, to }: PartitionRange,
): Promise<void> {
  const name = `${table}_${suffix}`;
  // Our own texts and dates only: DDL takes no parameters.
  const [fromText, toText] = [from.toISOString(), to.toISOString()];
  await inTransaction(pool, async (sql) => {
    await sql.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    // Nothing may be added to the default partition between moving and attaching.
    await sql.query(`lock table ${table}_default in access exclusive mode`);
    await sql.query(`create table ${name} (like ${table} including all)`);
    await sql.query(
      `with moved as (delete from ${table}_default where ${column} >= '${fromText}' and ${column} < '${toText}' returning *) insert into ${name} select * from moved`,
    );
    await sql.query(`alter table ${table} attach partition ${name} for values from ('${fromText}') to ('${toText}')`);
  });
}

async function dropPartition(pool: pg.Pool, { table }: PartitionedTable, suffix: string): Promise<void> {
  await inTransaction(pool, async (sql) => {
    await sql.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    await sql.query(`drop table if exists ${table}_${suffix}`);
  });
}
