// What a command's end changes beside its row: once, in the transaction of the final state, whoever records it.

import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EndedCommand, OutcomeEffect } from "../commands/outcome-effects.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { inTransaction } from "../database.ts";
import { newId } from "../ids.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject } from "./registered-station.ts";

let database: OwnDatabase;
let project: TestProject;
const log = pino({ level: "silent" });

beforeAll(async () => {
  database = await createOwnDatabase();
  project = await createProject(database.pool);
  await database.pool.query("create table seen_ends (command_id text, told text)");
});
afterAll(() => database.drop());

const ACCEPTED: CommandOutcome = { state: "accepted", response: '{"status":"Accepted","data":"a\\u0000b"}' };

async function newCommand(state = "sent", deadline = "1 minute"): Promise<string> {
  const station = await registerStation(database.pool, project, "1.6");
  const id = newId("cmd");
  await database.pool.query(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at)
     values ($1, $2, $3, '1.6', 'Reset', '{"type":"Soft"}', 'test', $4, now() + $5::interval)`,
    [id, project.orgId, station.id, state, deadline],
  );
  return id;
}

const note: OutcomeEffect = async (sql, command) =>
  void (await sql.query("insert into seen_ends values ($1, $2)", [command.commandId, command.state]));
const record = (commandId: string, outcome: CommandOutcome, effects: readonly OutcomeEffect[]) =>
  inTransaction(database.pool, (sql) =>
    recordCommandOutcome(sql, { commandId, outcome, at: new Date() }, { log, effects: new Map([["Reset", effects]]) }),
  );
const seen = async (commandId: string) =>
  (await database.pool.query<{ told: string }>("select told from seen_ends where command_id = $1", [commandId])).rows;
const rowOf = async (commandId: string) =>
  (
    await database.pool.query<{ state: string; effect_fault: string | null }>(
      "select state, effect_fault from commands where id = $1",
      [commandId],
    )
  ).rows[0];

// Broken once on purpose: without `final_at is null` (record-outcome.ts) it fails: the effect runs three times.
test("[I7] an effect is told the command and the station's answer, and runs once however many record the end", async () => {
  const id = await newCommand();
  const told: EndedCommand[] = [];
  const tell: OutcomeEffect = async (_sql, command) => void told.push(command);
  const decided = await Promise.all([1, 2, 3].map(() => record(id, ACCEPTED, [tell, note])));
  expect(decided.filter(Boolean)).toHaveLength(1);
  expect(told).toEqual([
    expect.objectContaining({
      commandId: id,
      orgId: project.orgId,
      version: "1.6",
      action: "Reset",
      payload: { type: "Soft" },
      state: "accepted",
      response: { status: "Accepted", data: "a\u0000b" },
    }),
  ]);
  expect(await seen(id)).toEqual([{ told: "accepted" }]);
});

test("what breaks the schema is no answer to an effect", async () => {
  const id = await newCommand();
  const told: EndedCommand[] = [];
  await record(id, { state: "error", response: '{"status":"Maybe"}' }, [async (_sql, c) => void told.push(c)]);
  expect(told[0]).toMatchObject({ state: "error", response: undefined });
});

test.each<[string, OutcomeEffect]>([
  ["breaks a constraint", (sql) => sql.query("insert into commands (id) values ('x')").then(() => {})],
  ["names a column that is not there", (sql) => sql.query("select nothing from commands").then(() => {})],
  ["stumbles over the payload", () => Promise.reject(new TypeError("cannot read"))],
])(
  "an effect that %s is undone by itself and noted: the final state and the other effects stand",
  async (_, poison) => {
    const id = await newCommand();
    expect(await record(id, ACCEPTED, [poison, note])).toBe(true);
    expect(await rowOf(id)).toMatchObject({ state: "accepted", effect_fault: expect.any(String) });
    expect(await seen(id)).toEqual([{ told: "accepted" }]);
  },
);

test("an effect that met another transaction undoes the end with it: it is recorded again by who owns the transaction", async () => {
  const id = await newCommand();
  const deadlock: OutcomeEffect = async (sql) =>
    void (await sql.query("do $$ begin raise exception 'met' using errcode = '40P01'; end $$"));
  await expect(record(id, ACCEPTED, [note, deadlock])).rejects.toThrow("met");
  expect(await rowOf(id)).toMatchObject({ state: "sent" });
  expect(await seen(id)).toEqual([]);
  expect(await record(id, ACCEPTED, [note])).toBe(true);
});

test("the sweep of deadlines runs the effects of all that it ends, and one that fails holds up none", async () => {
  const ids = [await newCommand("sent", "-1 minute"), await newCommand("queued", "-1 minute")];
  const failsForFirst: OutcomeEffect = async (_sql, command) => {
    if (command.commandId === ids[0]) throw new RangeError("no");
  };
  const effects = new Map([["Reset", [failsForFirst, note]]]);
  expect(await endOverdueCommands(database.pool, 100, { log, effects })).toBe(2);
  expect(await Promise.all(ids.map(seen))).toEqual([[{ told: "unknown" }], [{ told: "not_connected" }]]);
  expect(await rowOf(ids[0] as string)).toEqual({ state: "unknown", effect_fault: "RangeError: no" });
});
