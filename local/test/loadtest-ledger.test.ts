// The ledger's check is only worth something if it finds what is wrong: each kind of breach is made by hand in a real Postgres.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { checkLedger } from "../loadtest/check-ledger.ts";
import type { StationLedger } from "../loadtest/k6-lines.ts";

const SINCE = new Date("2026-05-01T00:00:00Z");
const AT = "2026-05-01T10:00:00.000Z";
const BEFORE = "2026-04-30T10:00:00.000Z";

let server: pg.Client;
let pool: pg.Pool;
const name = `loadtest_${randomBytes(6).toString("hex")}`;
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
    `truncate message_log, commands, station_seen, dead_letters, lane_gaps, meter_values, connector_status cascade`,
  );
  await pool.query(`delete from transactions`);
});

let seq = 0;
const station = (id: string) => `(select id from stations where charge_point_id = '${id}')`;
const logged = (id: string, messageId: string, action = "MeterValues", at = AT) =>
  pool.query(
    `insert into message_log (station_id, epoch, received_at, seq, direction, action, message_id, raw) values (${station(id)}, 7, $1, $2, 0, $3, $4, '')`,
    [at, ++seq, action, messageId],
  );
const transaction = (number: number, state: string) =>
  pool.query(
    `insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, connector_id, state, start_received_at)
     values ('sess_' || $1::text, 'org_1', ${station("cp_1")}, '1.6', $1::text, 1, $2, $3)`,
    [String(number), state, AT],
  );
const ledgerOf = (id: string, more: Partial<StationLedger> = {}): StationLedger => ({
  station: id,
  numbered: 0,
  unanswered: [],
  resent: 0,
  answered: {},
  started: 0,
  ended: 0,
  heartbeatAtMs: 0,
  readings: 0,
  away: false,
  absence: { times: 0, refused: 0, longestMs: 0, mostOverMs: 0 },
  ...more,
});
const breachesOf = async (ledgers: StationLedger[], commands: string[] = []) =>
  (await checkLedger(system, { ledgers, commands }, SINCE)).breaches;

test("a run in which everything is as it was told is fine", async () => {
  await logged("cp_1", "m1", "BootNotification");
  await logged("cp_1", "m3");
  await logged("cp_1", "m3"); // sent twice
  await logged("cp_1", "m1", "BootNotification", BEFORE); // of an earlier run
  await transaction(11, "ended");
  await pool.query(
    `insert into station_seen (station_id, last_seen_at, last_heartbeat_at) values (${station("cp_1")}, $1, $1)`,
    [AT],
  );
  const ledger = ledgerOf("cp_1", {
    numbered: 3,
    unanswered: ["m2"],
    resent: 1,
    answered: { BootNotification: 1, MeterValues: 1, Heartbeat: 4 },
    started: 1,
    ended: 1,
    heartbeatAtMs: Date.parse(AT),
  });
  expect(await checkLedger(system, { ledgers: [ledger, ledgerOf("cp_2")], commands: [] }, SINCE)).toEqual({
    answered: 6,
    found: 2,
    byAction: {
      BootNotification: { answered: 1, logged: 1 },
      MeterValues: { answered: 1, logged: 1 },
      Heartbeat: { answered: 4, logged: undefined },
    },
    transactions: { started: 1, ended: 1 },
    commands: 0,
    breaches: [],
  });
});

test("an answered message that is missing is named, also where one that was never answered is there", async () => {
  await logged("cp_1", "m1");
  await logged("cp_1", "m2");
  expect(await breachesOf([ledgerOf("cp_1", { numbered: 3, unanswered: ["m2"] })])).toEqual([
    "cp_1: 1 answered messages are not in the message log",
  ]);
  expect(await breachesOf([ledgerOf("cp_2", { numbered: 2 })])).toEqual([
    "cp_2: 2 answered messages are not in the message log",
  ]);
});

test("a message that stands there more often than it was sent is named", async () => {
  await logged("cp_1", "m1");
  await logged("cp_1", "m1");
  expect(await breachesOf([ledgerOf("cp_1", { numbered: 1 })])).toEqual([
    "cp_1: 1 messages are twice in the message log, sent again 0",
  ]);
});

test("transactions that are missing, too many or not ended are named", async () => {
  await transaction(11, "active");
  await transaction(12, "active");
  expect(await breachesOf([ledgerOf("cp_1", { started: 3 })])).toEqual([
    "cp_1: 3 transactions were begun, 2 are stored",
  ]);
  expect(await breachesOf([ledgerOf("cp_1", { started: 1 })])).toEqual([
    "cp_1: 1 transactions were begun, 2 are stored",
  ]);
  expect(await breachesOf([ledgerOf("cp_1", { started: 2, ended: 1 })])).toEqual([
    "cp_1: 1 transactions were ended, 0 are stored so",
  ]);
});

test("meter values that are missing or too many are named", async () => {
  const reading = (sampledAt: string, receivedAt = AT) =>
    pool.query(
      `insert into meter_values (station_id, transaction_id, sampled_at, shape, connector, vals, received_at) values (${station("cp_1")}, 0, $1, 1, 1, '{1}', $2)`,
      [sampledAt, receivedAt],
    );
  await reading("2026-05-01T09:00:00Z");
  await reading("2026-05-01T09:01:00Z");
  await reading("2026-05-01T09:02:00Z", BEFORE); // of an earlier run
  expect(await breachesOf([ledgerOf("cp_1", { readings: 2 })])).toEqual([]);
  expect(await breachesOf([ledgerOf("cp_1", { readings: 3 })])).toEqual([
    "cp_1: 3 meter values were answered, 2 are stored",
  ]);
  expect(await breachesOf([ledgerOf("cp_1", { readings: 1 })])).toEqual([
    "cp_1: 1 meter values were answered, 2 are stored",
  ]);
});

test("a connector whose status is not the last one that was answered is named", async () => {
  const status = { name: "Charging", at: AT };
  expect(await breachesOf([ledgerOf("cp_1", { status })])).toEqual([
    expect.stringMatching(/^cp_1: its last status, Charging of .*, is not on record: there is none$/),
  ]);
  await pool.query(
    `insert into connector_status (station_id, evse_id, connector_id, status, reported_at, received_at, epoch, seq) values (${station("cp_1")}, 0, 1, 'Charging', $1, $1, 7, 1)`,
    [AT],
  );
  expect(await breachesOf([ledgerOf("cp_1", { status })])).toEqual([]);
  for (const other of [
    { name: "Finishing", at: AT },
    { name: "Charging", at: "2026-05-01T10:00:00.001Z" },
  ])
    expect(await breachesOf([ledgerOf("cp_1", { status: other })])).toEqual([
      expect.stringMatching(/ is not on record: there is Charging of /),
    ]);
});

test("a heartbeat that is not on record, a command that is not what it was told as, dead letters and gaps are named", async () => {
  await pool.query(
    `insert into station_seen (station_id, last_seen_at, last_heartbeat_at) values (${station("cp_1")}, $1, $1)`,
    [AT],
  );
  await pool.query(
    `insert into dead_letters (public_id, lane_id, entry_id, frame_index, identity, frame, reason) values ('dl_1', 'lane', '1-0', 0, 'cp_1', '{}', 'test')`,
  );
  await pool.query(`insert into lane_gaps (lane_id, from_entry, to_entry) values ('lane', '7-0', '9-0')`);
  const ledger = ledgerOf("cp_1", { heartbeatAtMs: Date.parse(AT) + 60_000 });
  expect(await breachesOf([ledger], ["cmd_1"])).toEqual([
    expect.stringMatching(/^cp_1: its last heartbeat, of .*, is not on record$/),
    "dead letter: test",
    "a lane lost entries: lane",
    "command cmd_1 was told as accepted, and is not on record",
  ]);
});
