import { randomBytes } from "node:crypto";
// The stations' own messages on firmware, logs, charging and reservations, from the lane to their rows.

import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../ids.ts";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation, type TestStation } from "./registered-station.ts";

let world: IntakeWorld;
beforeAll(async () => {
  world = await createIntakeWorld(5);
  world.startIntake();
});
afterAll(() => world.close());

const EPOCH = 1_700_000_000_000;

/** A command that a gateway has sent, and nobody follows any more: its end comes through the lane alone. */
async function sent(station: TestStation, version: OcppVersion, action: string, payload: object): Promise<string> {
  const id = newId("cmd");
  await world.rows(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, epoch, sent_at, deadline_at)
     values ($1, $2, $3, $4, $5, $6, 'test', 'sent', $7, now(), now() + interval '1 minute') returning id`,
    [id, world.project.orgId, station.id, version, action, JSON.stringify(payload), EPOCH],
  );
  return id;
}

const ended = (commandId: string, seq: number, response: object) => ({
  event: "commandOutcome" as const,
  nodeId: "node-a",
  commandId,
  outcome: {
    state: "accepted",
    response: JSON.stringify(response),
    answeredAtMs: Date.now(),
    answeredAs: { epoch: EPOCH, seq },
  } satisfies CommandOutcome,
});

test("1.6: a firmware update's answer and its progress in one batch, and diagnostics beside it", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  const update = await sent(station, "1.6", "UpdateFirmware", {
    location: "https://fw.example/a",
    retrieveDate: "2026-05-01T00:00:00Z",
  });
  const signed = await sent(station, "1.6", "SignedUpdateFirmware", {
    requestId: 9,
    firmware: { location: "https://s" },
  });
  const log = await sent(station, "1.6", "GetDiagnostics", { location: "ftp://logs.example" });
  await lane.append(
    cp.event(ended(update, 1, {})),
    cp.event(ended(log, 2, { fileName: "d.zip" })),
    cp.call("FirmwareStatusNotification", { status: "Downloading" }),
    cp.call("FirmwareStatusNotification", { status: "Installed" }),
    cp.call("SignedFirmwareStatusNotification", { status: "InstallRebooting", requestId: 9 }),
    cp.call("DiagnosticsStatusNotification", { status: "UploadFailed" }),
    cp.call("LogStatusNotification", { status: "Uploaded", requestId: 404 }),
  );
  await world.applied(lane);
  const rows = await world.rows<{ command_id: string; status: string; ended: boolean }>(
    "select command_id, status, ended_at is not null as ended from transfer_jobs where station_id = $1",
    [station.id],
  );
  expect(Object.fromEntries(rows.map((row) => [row.command_id, [row.status, row.ended]]))).toEqual({
    [update]: ["Installed", true],
    [signed]: ["InstallRebooting", false],
    [log]: ["UploadFailed", true],
  });
  expect(
    await world.rows(
      "select type from events where data->>'charge_point_id' = $1 and type like 'firmware%' order by type",
      [station.chargePointId],
    ),
  ).toEqual([
    { type: "firmware.update_completed" },
    { type: "firmware.update_started" },
    { type: "firmware.update_started" },
  ]);
});

test.each(["2.0.1", "2.1"] as const)("%s: limits, needs, schedules and reports of profiles", async (version) => {
  const station = await registerStation(world.database.pool, world.project, version);
  const lane = await world.openLane();
  const cp = connectionOf(station, version, EPOCH);
  const schedule = { id: 1, chargingRateUnit: "W", chargingSchedulePeriod: [{ startPeriod: 0, limit: 11_000.5 }] };
  const profile = {
    id: 3,
    stackLevel: 0,
    chargingProfilePurpose: "TxDefaultProfile",
    chargingProfileKind: "Absolute",
    chargingSchedule: [schedule],
  };
  const needs = { evseId: 1, chargingNeeds: { requestedEnergyTransfer: "AC_three_phase" } };
  await lane.append(
    cp.call("NotifyChargingLimit", { chargingLimit: { chargingLimitSource: "EMS" }, chargingSchedule: [schedule] }),
    cp.call("NotifyChargingLimit", { chargingLimit: { chargingLimitSource: "SO" }, evseId: 1 }),
    cp.call("ClearedChargingLimit", { chargingLimitSource: "SO", evseId: 1 }),
    cp.call("NotifyEVChargingNeeds", needs, { answer: { status: "Rejected" } }),
    cp.call("NotifyEVChargingSchedule", { timeBase: "2026-05-01T00:00:00Z", evseId: 1, chargingSchedule: schedule }),
    cp.call("ReportChargingProfiles", {
      requestId: 4,
      chargingLimitSource: "CSO",
      evseId: 1,
      tbc: true,
      chargingProfile: [profile],
    }),
    cp.call("ReportChargingProfiles", {
      requestId: 4,
      chargingLimitSource: "CSO",
      evseId: 2,
      chargingProfile: [{ ...profile, id: 4 }],
    }),
  );
  await world.applied(lane);
  expect(
    await world.rows(
      "select kind, evse_id, limit_source, cleared_at is not null as cleared from charging_reports where station_id = $1 order by kind, evse_id",
      [station.id],
    ),
  ).toEqual([
    { kind: "ev_needs", evse_id: 1, limit_source: "", cleared: false },
    { kind: "ev_schedule", evse_id: 1, limit_source: "", cleared: false },
    { kind: "limit", evse_id: 0, limit_source: "EMS", cleared: false },
    { kind: "limit", evse_id: 1, limit_source: "SO", cleared: true },
  ]);
  expect(
    await world.rows(
      "select profile_id, evse_id, source from charging_profiles where station_id = $1 order by profile_id",
      [station.id],
    ),
  ).toEqual([
    { profile_id: "3", evse_id: 1, source: "report" },
    { profile_id: "4", evse_id: 2, source: "report" },
  ]);
  // An older word of another lane changes nothing.
  const older = connectionOf(station, version, EPOCH - 1);
  const other = await world.openLane();
  await other.append(older.call("NotifyChargingLimit", { chargingLimit: { chargingLimitSource: "SO" }, evseId: 1 }));
  await world.applied(other);
  expect(
    await world.rows(
      "select 1 from charging_reports where station_id = $1 and limit_source = 'SO' and cleared_at is null",
      [station.id],
    ),
  ).toEqual([]);
});

test("[C18] a source of a limit that is far too long holds nothing up, and is cleared by the same word", async () => {
  const station = await registerStation(world.database.pool, world.project, "2.1");
  const lane = await world.openLane();
  const cp = connectionOf(station, "2.1", EPOCH);
  // Random, for Postgres would compress it into its index.
  const chargingLimitSource = randomBytes(8_000).toString("hex");
  const limits = () =>
    world.rows(
      "select length(limit_source) as long, cleared_at is not null as cleared from charging_reports where station_id = $1",
      [station.id],
    );
  await lane.append(cp.call("NotifyChargingLimit", { chargingLimit: { chargingLimitSource } }));
  await world.applied(lane);
  expect(await limits()).toEqual([{ long: 64, cleared: false }]);
  await lane.append(cp.call("ClearedChargingLimit", { chargingLimitSource }));
  await world.applied(lane);
  expect(await limits()).toEqual([{ long: 64, cleared: true }]);
});

test("a reservation is used by the transaction that names it, 1.6 and 2.x, or ended by the station", async () => {
  const v16 = await registerStation(world.database.pool, world.project, "1.6");
  const v201 = await registerStation(world.database.pool, world.project, "2.0.1");
  const lane = await world.openLane();
  const [cp16, cp201] = [connectionOf(v16, "1.6", EPOCH), connectionOf(v201, "2.0.1", EPOCH)];
  const reserve16 = await sent(v16, "1.6", "ReserveNow", {
    connectorId: 1,
    expiryDate: "2099-01-01T00:00:00Z",
    idTag: "T",
    reservationId: 5,
  });
  const idToken = { idToken: "T", type: "Central" };
  const reserve201 = await Promise.all(
    [1, 2, 3].map((id) => sent(v201, "2.0.1", "ReserveNow", { id, expiryDateTime: "2099-01-01T00:00:00Z", idToken })),
  );
  await lane.append(
    cp16.event(ended(reserve16, 0, { status: "Accepted" })),
    ...reserve201.map((id) => cp201.event(ended(id, 0, { status: "Accepted" }))),
    cp16.call(
      "StartTransaction",
      { connectorId: 1, idTag: "T", meterStart: 0, timestamp: "2026-05-01T10:00:00Z", reservationId: 5 },
      { answer: { transactionId: 4_711, idTagInfo: { status: "Accepted" } } },
    ),
    cp201.call("TransactionEvent", {
      eventType: "Started",
      timestamp: "2026-05-01T10:00:00Z",
      triggerReason: "Authorized",
      seqNo: 0,
      transactionInfo: { transactionId: "tx-9" },
      reservationId: 1,
    }),
    cp201.call("ReservationStatusUpdate", { reservationId: 2, reservationUpdateStatus: "Expired" }),
    cp201.call("ReservationStatusUpdate", { reservationId: 3, reservationUpdateStatus: "Removed" }),
  );
  await world.applied(lane);
  expect(
    await world.rows(
      "select reservation_id, state, transaction_id from reservations where station_id = any($1::bigint[]) order by station_id, reservation_id",
      [[v16.id, v201.id]],
    ),
  ).toEqual([
    { reservation_id: "5", state: "used", transaction_id: "4711" },
    { reservation_id: "1", state: "used", transaction_id: "tx-9" },
    { reservation_id: "2", state: "expired", transaction_id: null },
    { reservation_id: "3", state: "removed", transaction_id: null },
  ]);
});

test("a connection that opens makes the commands that wait for it due", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  await world.rows(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, deliver, deadline_at, valid_until, wake_at)
     values ($1, $2, $3, '1.6', 'ClearCache', '{}', 'test', 'when_connected', now() + interval '1 hour', now() + interval '1 hour', now() + interval '1 hour') returning id`,
    [newId("cmd"), world.project.orgId, station.id],
  );
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  await lane.append(
    cp.event({ event: "opened", nodeId: "node-a", remoteAddress: "192.0.2.7", subprotocol: "ocpp1.6", notes: [] }),
  );
  await world.applied(lane);
  expect(
    await world.rows("select wake_at <= clock_timestamp() as due from commands where station_id = $1", [station.id]),
  ).toEqual([{ due: true }]);
});
