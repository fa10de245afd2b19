import { randomBytes } from "node:crypto";
import pg from "pg";
import { openOrm, openPool } from "../database.ts";

export interface OwnDatabase {
  url: string;
  pool: pg.Pool;
  /** Closes the pool and drops the database. */
  drop(): Promise<void>;
}

/** A migrated database for one test file, on the server of TEST_DATABASE_URL or another one. */
export async function createOwnDatabase(server = process.env["TEST_DATABASE_URL"] as string): Promise<OwnDatabase> {
  const database = await createEmptyDatabase(server);
  const orm = await openOrm(database.url, [], 2);
  await orm.migrator.up();
  await orm.close();
  return database;
}

/** The same without a schema. */
export async function createEmptyDatabase(server = process.env["TEST_DATABASE_URL"] as string): Promise<OwnDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await onServer(server, `create database ${name}`);
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href;
  const pool = openPool(url, 20, "test");
  return {
    url,
    pool,
    async drop() {
      await pool.end();
      await onServer(server, `drop database ${name} with (force)`);
    },
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
