import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openOrm } from "../database.ts";
import { migrate } from "../processes/migrate/migrate.ts";
import { until } from "./intake-world.ts";
import { createEmptyDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation } from "./registered-station.ts";

let database: OwnDatabase;
beforeEach(async () => {
  database = await createEmptyDatabase();
  const orm = await openOrm(database.url, [], 1);
  await orm.migrator.up({ to: "0001-initial" });
  await orm.close();
});
afterEach(() => database.drop());

const rows = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows;

/** Runs the migrations; `said` is what the process logged so far. */
function upgrade() {
  const said: string[] = [];
  const stream = new Writable({
    write(line: Buffer, _encoding, done) {
      said.push((JSON.parse(line.toString()) as { msg: string }).msg);
      done();
    },
  });
  return { said, done: migrate({ databaseUrl: database.url, waitMs: 0, log: pino(stream) }) };
}

/** As the first release writes them. */
const START = `insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, id_token, state, started_at)
  values ($1, $2, $3, '2.0.1', $1, 'card', $4, now())`;
const EVENT = `insert into transaction_events (station_id, transaction_id, seq_no, event_type, received_at, payload)
  values ($1, $2, $3, $4, '2026-05-01T10:00:00Z', '{}')`;

test("data of the first release is understood, told to nobody again, and its processes write on", async () => {
  const project = await createProject(database.pool);
  const station = await registerStation(database.pool, project, "2.0.1");
  await rows(
    "insert into id_tokens (org_id, token, status) values ($1, 'card', 'Accepted'), ($1, 'other', 'Blocked')",
    [project.orgId],
  );
  for (const [id, state, ...events] of [
    ["whole", "ended", "Started", "Updated", "Ended"],
    ["gap", "ended", "Started", undefined, "Ended"],
    ["running", "active", "Started"],
  ]) {
    await rows(START, [id, project.orgId, station.id, state]);
    for (const [seqNo, type] of events.entries())
      if (type !== undefined) await rows(EVENT, [station.id, id, seqNo, type]);
  }
  await upgrade().done;
  const columns =
    "transaction_id as id, complete, started_seq_no as first, ended_seq_no as last, started_told, ended_told";
  expect(await rows(`select ${columns}, last_event_at from transactions order by transactions.id`)).toMatchObject([
    { id: "whole", complete: true, first: 0, last: 2, started_told: true, ended_told: true },
    { id: "gap", complete: false, first: 0, last: 2, last_event_at: new Date("2026-05-01T10:00:00Z") },
    { id: "running", complete: false, first: 0, last: null, started_told: true, ended_told: true },
  ]);
  expect(
    await rows("select count(distinct id)::int as n, max(max_active_transactions) as most from id_tokens"),
  ).toEqual([{ n: 2, most: null }]);
  await rows(START, ["later", project.orgId, station.id, "active"]);
  expect(await rows("select started_told from transactions where transaction_id = 'later'")).toEqual([
    { started_told: false },
  ]);
  await rows("insert into id_tokens (org_id, token, status) values ($1, 'third', 'Accepted')", [project.orgId]);
  await rows(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, deadline_at)
     values ('cmd', $1, $2, '2.0.1', 'Reset', '{}', 'key', now())`,
    [project.orgId, station.id],
  );
});

test("a table that is in use puts the upgrade off and not the table's users; no statement has a time limit", async () => {
  await database.pool.query(`create table limits (statement_timeout text, lock_timeout text)`);
  await database.pool.query(
    `create function note_limits() returns event_trigger language plpgsql as $$
     begin insert into limits values (current_setting('statement_timeout'), current_setting('lock_timeout')); end $$`,
  );
  await database.pool.query("create event trigger note_limits on ddl_command_end execute function note_limits()");
  const user = await database.pool.connect();
  await user.query("begin; lock table stations in row exclusive mode");
  const { said, done } = upgrade();
  await until(async () => said.includes("waiting for tables that are in use"));
  await user.query("insert into organizations (id, name) values ('org_x', 'Org'); commit");
  user.release();
  await done;
  expect(said.at(-1)).toBe("migrated");
  expect(await rows("select distinct statement_timeout, lock_timeout from limits")).toEqual([
    { statement_timeout: "0", lock_timeout: "2s" },
  ]);
  expect(await rows("select 1 from mikro_orm_migrations where name like '0009%'")).toHaveLength(1);
});
