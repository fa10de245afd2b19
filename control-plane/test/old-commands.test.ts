// Commands and what they left behind go by age; what is under way, or is told by something that stays, stays.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createOldCommandsSweep } from "../commands/forget-old-commands.ts";
import { type Sql, sqlOn } from "../database.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

let database: OwnDatabase;
let sql: Sql;
let project: TestProject;
let station: TestStation;

beforeAll(async () => {
  database = await createOwnDatabase();
  sql = sqlOn(database.pool);
  project = await createProject(database.pool);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await sql.query("delete from transfer_jobs");
  await sql.query("delete from commands");
  station = await registerStation(database.pool, project, "1.6");
});

const command = (id: string, daysAgo: number | null, state = "accepted") =>
  sql.query(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at, created_at, final_at)
     values ($1, $2, $3, '1.6', 'Reset', '{}', 'test', $4, now(), now() - interval '900 days', now() - make_interval(days => $5))`,
    [id, project.orgId, station.id, state, daysAgo],
  );
const job = (commandId: string, requestedDaysAgo: number, updatedDaysAgo: number, ended: boolean, kind = "firmware") =>
  sql.query(
    `insert into transfer_jobs (command_id, station_id, org_id, kind, action, status, requested_at, updated_at, ended_at, epoch, seq)
     values ($1, $2, $3, $7, 'UpdateFirmware', 'x', now() - make_interval(days => $4), now() - make_interval(days => $5),
       case when $6 then now() - make_interval(days => $5) end, 1, 1)`,
    [commandId, station.id, project.orgId, requestedDaysAgo, updatedDaysAgo, ended, kind],
  );
const ids = async (table: string, column: string) =>
  (
    await sql.query<{ id: string }>(`select ${column}::text as id from ${table} where station_id = $1 order by 1`, [
      station.id,
    ])
  ).map((row) => row.id);
const sweep = (limit = 100) => createOldCommandsSweep({ sql, days: 365, limit });

test("final commands go after their time, page by page; what is not final never does", async () => {
  for (const n of [1, 2, 3, 4, 5]) await command(`cmd_old${n}`, 366);
  await command("cmd_new", 364);
  await command("cmd_open", null, "sent");
  await command("cmd_waiting", null, "queued");
  const run = sweep(2);
  await run();
  expect(await ids("commands", "id")).toHaveLength(6);
  await run();
  await run();
  expect(await ids("commands", "id")).toEqual(["cmd_new", "cmd_open", "cmd_waiting"]);
});

test("a command stays for as long as something tells its id, and those do not hold up the others", async () => {
  const kept = ["availability", "certificate", "password", "profile", "question", "reservation"].map(
    (name) => `cmd_${name}`,
  );
  for (const id of kept) await command(id, 500);
  await command("cmd_plain", 400);
  await sql.query(
    `insert into availability_requests (station_id, evse_id, connector_id, wanted, answer, command_id, recorded_at, epoch, seq)
     values ($1, 0, 0, 'Operative', 'Accepted', 'cmd_availability', now(), 1, 1)`,
    [station.id],
  );
  await sql.query(
    `insert into reservations (station_id, reservation_id, id_token, state, command_id, recorded_at, epoch, seq, expires_at)
     values ($1, 1, 'T', 'active', 'cmd_reservation', now(), 1, 1, now() + interval '1 day')`,
    [station.id],
  );
  await sql.query(
    `insert into charging_profiles (station_id, profile_id, evse_id, purpose, stack_level, kind, profile, source, command_id, recorded_at, epoch, seq)
     values ($1, 1, 0, 'TxDefaultProfile', 0, 'Absolute', '{}', 'command', 'cmd_profile', now() - interval '800 days', 1, 1)`,
    [station.id],
  );
  await sql.query(
    `insert into commissionings (id, station_id, project_id, installer_id, status, run_connectivity_test, run_meter_calibration)
     values ('com_1', $1, $2, $3, 'in_progress', true, false)`,
    [station.id, project.projectId, project.installerId],
  );
  await sql.query(
    "insert into commissioning_checks (commissioning_id, name, status, question_id) values ('com_1', 'heartbeat', 'in_progress', 'cmd_question')",
  );
  await sql.query(
    `insert into password_changes (id, station_id, org_id, ocpp_version, state, sealed_password, repeats, command_id, requested_by)
     values ('pwc_1', $1, $2, '1.6', 'queued', 's1.x', true, 'cmd_password', 'test')`,
    [station.id, project.orgId],
  );
  await sql.query(
    `insert into certificate_requests (id, station_id, org_id, certificate_type, csr_hash, csr, state, command_id, epoch, seq)
     values ('crq_1', $1, $2, 'ChargingStationCertificate', 'hash', 'csr', 'issued', 'cmd_certificate', 1, 1)`,
    [station.id, project.orgId],
  );
  const run = sweep(4);
  for (let times = 0; times < 3; times += 1) await run();
  expect(await ids("commands", "id")).toEqual(kept);
});
test("transfers that ended go, and with them their commands; an open one only behind a newer one", async () => {
  for (const id of ["cmd_ended", "cmd_given_up", "cmd_last", "cmd_late", "cmd_log"]) await command(id, 500);
  await job("cmd_ended", 500, 400, true);
  await job("cmd_late", 500, 100, true);
  await job("cmd_given_up", 450, 450, false);
  await job("cmd_last", 440, 440, false);
  await job("cmd_log", 480, 480, false, "log");
  await sql.query(
    "insert into transfer_job_progress (command_id, epoch, seq, status, received_at) values ('cmd_ended', 1, 1, 'x', now())",
  );
  await sweep()();
  const left = ["cmd_last", "cmd_late", "cmd_log"];
  expect([await ids("transfer_jobs", "command_id"), await ids("commands", "id")]).toEqual([left, left]);
});

test("reservations that are over go; those that are not, or not for long, stay", async () => {
  const reservation = (id: number, state: string, endedDaysAgo: number | null, expiresDaysAgo: number | null) =>
    sql.query(
      `insert into reservations (station_id, reservation_id, id_token, state, recorded_at, epoch, seq, ended_at, expires_at)
       values ($1, $2, 'T', $3, now() - interval '900 days', 1, 1, now() - make_interval(days => $4), now() - make_interval(days => $5))`,
      [station.id, id, state, endedDaysAgo, expiresDaysAgo],
    );
  await reservation(1, "used", 400, 399);
  await reservation(2, "cancelled", 300, 400);
  await reservation(3, "active", null, 400);
  await reservation(4, "active", null, -1);
  await reservation(5, "active", null, null);
  const run = sweep(1);
  for (let times = 0; times < 3; times += 1) await run();
  expect(await ids("reservations", "reservation_id")).toEqual(["2", "4", "5"]);
});

test("charging profiles that were cleared go, and those of transactions that ended; what is in force stays", async () => {
  const profile = (id: number, clearedDaysAgo: number | null, transactionId: string | null) =>
    sql.query(
      `insert into charging_profiles (station_id, profile_id, evse_id, purpose, stack_level, kind, profile, source, transaction_id, recorded_at, cleared_at, epoch, seq)
       values ($1, $2, 0, 'TxProfile', 0, 'Absolute', '{}', 'command', $3, now() - interval '900 days', now() - make_interval(days => $4), 1, 1)`,
      [station.id, id, transactionId, clearedDaysAgo],
    );
  for (const [id, state] of [
    ["tx-ended", "ended"],
    ["tx-active", "active"],
  ])
    await sql.query(
      "insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, state) values ($1, $2, $3, '2.0.1', $1, $4)",
      [id, project.orgId, station.id, state],
    );
  await profile(1, 400, null);
  await profile(2, 300, null);
  await profile(3, null, null);
  await profile(4, null, "tx-ended");
  await profile(5, null, "tx-active");
  const run = sweep(1);
  for (let times = 0; times < 4; times += 1) await run();
  expect(await ids("charging_profiles", "profile_id")).toEqual(["2", "3", "5"]);
});
