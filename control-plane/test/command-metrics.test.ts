// dynamo_command_duration_seconds: each command once, by whoever ended it, when that is committed.
import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cancelCommand } from "../commands/cancel-command.ts";
import { type CommandMetrics, createCommandMetrics } from "../commands/command-metrics.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { inTransaction } from "../database.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

const log = pino({ level: "silent" });
const ACCEPTED: CommandOutcome = { state: "accepted", response: '{"status":"Accepted"}' };

let database: OwnDatabase;
let project: TestProject;
let station: TestStation;
let registry: Registry;
let metrics: CommandMetrics;
beforeAll(async () => {
  database = await createOwnDatabase();
  project = await createProject(database.pool);
  station = await registerStation(database.pool, project, "1.6");
});
beforeEach(() => {
  registry = new Registry();
  metrics = createCommandMetrics(registry);
});
afterAll(() => database.drop());

/** A row of a command that was accepted so long ago. */
async function command(id: string, { ago = "3 seconds", state = "sent", deliver = "now", deadline = "1 minute" } = {}) {
  await database.pool.query(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deliver, created_at, deadline_at, valid_until, wake_at)
     values ($1, $2, $3, '1.6', 'Reset', '{}', 'test', $4, $5, now() - $6::interval, now() + $7::interval, now() + $7::interval, now())`,
    [id, project.orgId, station.id, state, deliver, ago, deadline],
  );
}

const end = (commandId: string, outcome = ACCEPTED) =>
  metrics.whenCommitted((ended) =>
    inTransaction(database.pool, (sql) =>
      recordCommandOutcome(sql, { commandId, outcome, at: new Date() }, { log, ended }),
    ),
  );

/** The metric's counts and the buckets that are asked for, by their labels as they are written. */
async function told(wanted = /_count\{/): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split("\n").filter((line) => wanted.test(line) && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = "", value] = /\{(.*)\} (\d+)$/.exec(line) ?? [];
      return [labels, Number(value)];
    }),
  );
}

test("a command counts once, with the time since it was accepted, whoever else brings its outcome", async () => {
  await command("cmd_1", { ago: "20 seconds" });
  expect([await end("cmd_1"), await end("cmd_1"), await end("cmd_1", { state: "timeout" })]).toEqual([
    true,
    false,
    false,
  ]);
  const labels = 'action="Reset",deliver="now",outcome="accepted"';
  expect(await told()).toEqual({ [labels]: 1 });
  expect(await told(/le="(10|30)"/)).toEqual({ [`le="10",${labels}`]: 0, [`le="30",${labels}`]: 1 });
});

test("an end that is rolled back does not count; the one that is committed then does", async () => {
  await command("cmd_2");
  const undone = metrics.whenCommitted((ended) =>
    inTransaction(database.pool, async (sql) => {
      await recordCommandOutcome(sql, { commandId: "cmd_2", outcome: ACCEPTED, at: new Date() }, { log, ended });
      throw new Error("the connection broke");
    }),
  );
  await expect(undone).rejects.toThrow("the connection broke");
  expect(await told()).toEqual({});
  await end("cmd_2");
  expect(await told()).toEqual({ 'action="Reset",deliver="now",outcome="accepted"': 1 });
});

test("an end that is undone to a savepoint and made again counts once", async () => {
  await command("cmd_3");
  await metrics.whenCommitted((ended) =>
    inTransaction(database.pool, async (sql) => {
      const known = { commandId: "cmd_3", outcome: ACCEPTED, at: new Date() };
      await sql.query("savepoint part");
      await recordCommandOutcome(sql, known, { log, ended });
      await sql.query("rollback to savepoint part");
      await recordCommandOutcome(sql, known, { log, ended });
    }),
  );
  expect(await told()).toEqual({ 'action="Reset",deliver="now",outcome="accepted"': 1 });
});

test("the sweep of deadlines and a cancellation count what they end", async () => {
  await command("cmd_overdue", { deadline: "-1 minute" });
  await command("cmd_waiting", { state: "queued", deliver: "when_connected" });
  await metrics.whenCommitted((ended) => endOverdueCommands(database.pool, 100, { log, ended }));
  await metrics.whenCommitted((ended) =>
    inTransaction(database.pool, (sql) => cancelCommand(sql, project.orgId, "cmd_waiting", { log, ended })),
  );
  expect(await told()).toEqual({
    'action="Reset",deliver="now",outcome="unknown"': 1,
    'action="Reset",deliver="when_connected",outcome="not_connected"': 1,
  });
});
