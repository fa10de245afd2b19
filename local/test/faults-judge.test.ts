// The judge is only worth something if it finds what is wrong: each kind of breach is made by hand in a real Postgres.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { judgeCalls, prepareJudge } from "../faults/judge/judge-calls.ts";
import { CommandJudge } from "../faults/judge/judge-commands.ts";
import { Segments } from "../faults/judge/segment.ts";
import type { LedgerLine } from "../faults/contract.ts";
import { FOLDERS } from "../folders.ts";

const SINCE = new Date("2026-05-01T00:00:00Z");
const AT = "2026-05-01T10:00:00.000Z";
const LATER = "2026-05-01T10:00:05.000Z";

let server: pg.Client;
let pool: pg.Pool;
const name = `judge_${randomBytes(6).toString("hex")}`;
const system = {
  sql: async <Row>(text: string, values: unknown[] = []) => (await pool.query(text, values)).rows as Row[],
};

beforeAll(async () => {
  const url = process.env["TEST_DATABASE_URL"] as string;
  server = new pg.Client({ connectionString: url });
  await server.connect();
  await server.query(`create database ${name}`);
  const databaseUrl = Object.assign(new URL(url), { pathname: `/${name}` }).href;
  execFileSync(process.execPath, ["--conditions=source", "control-plane/processes/migrate/main.ts"], {
    cwd: FOLDERS.root,
    env: { PATH: process.env["PATH"], DATABASE_URL: databaseUrl },
  });
  pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  await prepareJudge(system);
  await pool.query(`insert into organizations (id, name, contact_email) values ('org_1', 'One', 'one@cpo.example')`);
  await pool.query(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, serial_number, vendor, model, ocpp_version, connector_count)
     values ('cp_1', 'cp_1', 'cp_1', 'org_1', 'S1', 'V', 'M', '1.6', 1), ('cp_2', 'cp_2', 'cp_2', 'org_1', 'S2', 'V', 'M', '2.0.1', 1)`,
  );
});
afterAll(async () => {
  pool?.on("error", () => {}); // its connections may still be closing
  await pool?.end();
  await server?.query(`drop database ${name} with (force)`);
  await server?.end();
});

beforeEach(async () => {
  await pool.query(
    `truncate message_log, transaction_events, meter_values, connector_status, commands, events, harness.starts cascade`,
  );
  await pool.query(`delete from transactions`);
});

let seq = 0;
const station = (id: string) => `(select id from stations where charge_point_id = '${id}')`;
const logged = (id: string, messageId: string, place = ++seq) =>
  pool.query(
    `insert into message_log (station_id, epoch, received_at, seq, direction, message_id, raw) values (${station(id)}, 7, $1, $2, 0, $3, '')`,
    [LATER, place, messageId],
  );
const call = (id: string, messageId: string, action: string, key: string, facts = {}): LedgerLine[] => [
  ["sent", 1, id, 1, messageId, action, key],
  ["answered", 2, id, 1, messageId, facts],
];
const judge = (lines: LedgerLine[]) => judgeCalls(system, new Segments().take(lines), SINCE);
const transaction = (number: number, state = "active", connector = 1) =>
  pool.query(
    `insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, connector_id, id_token, state, start_timestamp_raw, meter_start_raw)
     values ('sess_' || $1::text, 'org_1', ${station("cp_1")}, '1.6', $1::text, $2::int, 'T' || $1::text, $3, $4, '0')`,
    [String(number), connector, state, AT],
  );
const readings = (id: string, at: string, values: string, shape = 1) =>
  pool.query(
    `insert into meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, received_at) values (${station(id)}, 0, $1, $2, 1, $3, now())`,
    [at, shape, values],
  );

const START = `start:1:${AT}`;
const FINE = { lost: 0, duplicated: 0, disordered: 0, wrongReplies: 0 };

test("a run in which everything is as it was told is fine", async () => {
  for (const id of ["a", "b", "c", "d"]) await logged("cp_1", id);
  await logged("cp_2", "e");
  await transaction(11, "ended");
  await readings("cp_1", LATER, "{1,2,3}");
  await readings("cp_2", AT, "{1,2}");
  await pool.query(
    `insert into transaction_events (station_id, transaction_id, seq_no, event_type, received_at, payload) values (${station("cp_2")}, 'tx', 0, 'Started', now(), '{}')`,
  );
  await pool.query(
    `insert into connector_status (station_id, evse_id, connector_id, status, reported_at, received_at, epoch, seq) values (${station("cp_1")}, 0, 1, 'Available', $1, now(), 7, 1)`,
    [LATER],
  );
  const verdict = await judge([
    ...call("cp_1", "a", "StartTransaction", START, { transactionId: 11, status: "Accepted" }),
    ...call("cp_1", "g", "Heartbeat", "heartbeat"),
    ...call("cp_1", "b", "MeterValues", `meter:${START}:${LATER}:3`),
    ...call("cp_1", "c", "StopTransaction", `stop:${START}:${LATER}`),
    ...call("cp_1", "d", "StatusNotification", `status:0:1:Available:${LATER}`),
    ...call("cp_1", "h", "Heartbeat", "heartbeat"),
    ...call("cp_2", "e", "TransactionEvent", `event:tx:0:Started:${AT}:2`),
  ]);
  expect(verdict).toMatchObject({ ...FINE, acknowledged: 7, examples: [] });
});

test("an acknowledged message that is not in the log is lost", async () => {
  expect(await judge(call("cp_1", "a", "DataTransfer", "x"))).toMatchObject({ ...FINE, lost: 1 });
});

test("a message that was sent once and is twice in the log is duplicated; sent twice it may be", async () => {
  await logged("cp_1", "a");
  await logged("cp_1", "a");
  const once = call("cp_1", "a", "DataTransfer", "x");
  expect(await judge(once)).toMatchObject({ ...FINE, duplicated: 1 });
  expect(await judge([["sent", 0, "cp_1", 1, "a", "DataTransfer", "x"], ...once])).toMatchObject(FINE);
});

test("a message that stands before one that was answered earlier is disordered", async () => {
  await logged("cp_1", "a", 20);
  await logged("cp_1", "b", 10);
  const lines = [...call("cp_1", "a", "DataTransfer", "x"), ...call("cp_1", "b", "DataTransfer", "y")];
  expect(await judge(lines)).toMatchObject({ ...FINE, disordered: 1 });
});

test("a start without its transaction, or under another number, is lost; a second row is a duplicate", async () => {
  await logged("cp_1", "a");
  const start = call("cp_1", "a", "StartTransaction", START, { transactionId: 11 });
  await transaction(12);
  expect(await judge(start)).toMatchObject({ lost: 1 });
  await transaction(11);
  expect(await judge(start)).toMatchObject({ lost: 0, duplicated: 1 });
});

test("a start that is told another number than before, and a number that two starts are told, are wrong replies", async () => {
  for (const id of ["a", "b", "c"]) await logged("cp_1", id);
  await transaction(11);
  await judge(call("cp_1", "a", "StartTransaction", START, { transactionId: 11 }));
  expect(await judge(call("cp_1", "b", "StartTransaction", START, { transactionId: 12 }))).toMatchObject({
    wrongReplies: 1,
  });
  const both = [
    ...call("cp_1", "a", "StartTransaction", START, { transactionId: 11 }),
    ...call("cp_1", "c", "StartTransaction", `start:1:${LATER}`, { transactionId: 11 }),
  ];
  expect((await judge(both)).wrongReplies).toBe(2);
});

test("a stop that ends nothing, an event and readings that are not there are lost; too many readings are duplicates", async () => {
  for (const id of ["a", "b", "c"]) await logged("cp_1", id);
  await transaction(11);
  await readings("cp_1", LATER, "{1,2}");
  const lines = [
    ...call("cp_1", "a", "StopTransaction", `stop:${START}:${LATER}`),
    ...call("cp_1", "b", "TransactionEvent", `event:tx:1:Updated:${AT}:0`),
    ...call("cp_1", "c", "MeterValues", `meter:${START}:${LATER}:3`),
  ];
  expect(await judge(lines)).toMatchObject({ ...FINE, lost: 3 });
  await readings("cp_1", LATER, "{1,2}", 2);
  expect(await judge(lines)).toMatchObject({ ...FINE, lost: 2, duplicated: 1 });
});

test("an older status that stands where a newer was acknowledged is disordered", async () => {
  await logged("cp_1", "a");
  await pool.query(
    `insert into connector_status (station_id, evse_id, connector_id, status, reported_at, received_at, epoch, seq) values (${station("cp_1")}, 0, 1, 'Charging', $1, now(), 7, 1)`,
    [AT],
  );
  const verdict = await judge(call("cp_1", "a", "StatusNotification", `status:0:1:Available:${LATER}`));
  expect(verdict).toMatchObject({ ...FINE, disordered: 1 });
});

test("a session that is told twice is duplicated", async () => {
  for (const id of ["evt_1", "evt_2"])
    await pool.query(
      `insert into events (id, org_id, type, data) values ($1, 'org_1', 'session.started', '{"session_id":"s"}')`,
      [id],
    );
  expect(await judge([])).toMatchObject({ ...FINE, duplicated: 1 });
});

test("answers that nobody waits for and CALLERRORs to messages of transactions are wrong replies; other CALLERRORs are told", async () => {
  const segment = new Segments().take([
    ["stray", 1, "cp_1", 1, "x"],
    ["sent", 1, "cp_1", 1, "a", "StartTransaction", START],
    ["failed", 2, "cp_1", 1, "a", "InternalError"],
    ["sent", 1, "cp_1", 1, "b", "MeterValues", `meter:${START}:${AT}:1`],
    ["failed", 2, "cp_1", 1, "b", "InternalError"],
    ["sent", 1, "cp_1", 1, "c", "Authorize", "authorize:1"],
    ["failed", 2, "cp_1", 1, "c", "InternalError"],
  ]);
  expect(await judgeCalls(system, segment, SINCE)).toMatchObject({ ...FINE, wrongReplies: 3 });
  expect(segment.errors).toEqual({ InternalError: 1 });
});

test("an answer is found again in the segment after the one that it was sent in", async () => {
  const segments = new Segments();
  expect(segments.take([["sent", 1, "cp_1", 1, "a", "DataTransfer", "x"]]).answered).toEqual([]);
  expect(segments.take([["answered", 2, "cp_1", 1, "a", {}]]).answered).toMatchObject([{ messageId: "a", sent: 1 }]);
});

test("commands: no end, another end than told, an end without an answer, twice before a station, not_connected and received", async () => {
  const command = (id: string, state: string, final = true, deadline = "now() - interval '5 minutes'") =>
    pool.query(
      `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at, final_at)
       values ($1, 'org_1', ${station("cp_1")}, '1.6', 'Reset', '{}', 'test', $2, ${deadline}, case when $3 then now() end)`,
      [id, state, final],
    );
  await command("fine", "accepted");
  await command("open", "sent", false, "now() + interval '5 minutes'");
  await command("endless", "sent", false);
  await command("other", "rejected");
  await command("unanswered", "accepted");
  await command("twice", "unknown");
  await command("received", "not_connected");
  const judge = new CommandJudge();
  const sent = ["fine", "open", "endless", "other", "unanswered", "twice", "received", "missing"];
  judge.sent(
    "A1",
    sent.map((id) => ({ id, action: "Reset", told: id === "other" || id === "fine" ? "accepted" : undefined })),
  );
  const receipt = (messageId: string, answered = true) => ({ station: "cp_1", messageId, action: "Reset", answered });
  judge.received([receipt("fine"), receipt("other"), receipt("twice"), receipt("twice"), receipt("received", false)]);
  expect(await judge.open(system)).toBe(2);
  expect((await judge.judge(system)).get("A1")).toEqual([
    expect.stringMatching(/endless has no final state/),
    expect.stringMatching(/other was told as accepted, and is rejected/),
    expect.stringMatching(/unanswered is accepted, and its station never answered/),
    expect.stringMatching(/twice was put before its station 2 times/),
    expect.stringMatching(/received is not_connected, and its station received it/),
    expect.stringMatching(/missing is not on record/),
  ]);
});
