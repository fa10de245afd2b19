import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPool } from "../database.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";

let database: OwnDatabase;
beforeAll(async () => void (database = await createOwnDatabase()));
afterAll(() => database.drop());

// An "error" that nobody listens to ends the process: a sweep that waits with a connection in hand ended all of them.
test("[A13] a connection that breaks while it is held and idle fails the next statement, and nothing else", async () => {
  const name = `held ${randomUUID()}`;
  const pool = openPool(database.url, 1, name);
  const client = await pool.connect();
  await client.query("begin");
  const told = new Promise<void>((resolve) => client.once("end", resolve));
  await database.pool.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", [
    name,
  ]);
  await told;
  await expect(client.query("select 1")).rejects.toThrow();
  client.release(new Error("broken"));
  expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await pool.end();
});
