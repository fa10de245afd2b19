// What accepted commands and the stations' messages on them leave behind, over the real API: reservations, profiles, availability.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { recordChargingReports } from "../charging-profiles/record-charging-reports.ts";
import { recordProfileReports } from "../charging-profiles/record-profile-reports.ts";
import { recordReservationUpdates } from "../reservations/record-reservations.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { commandScenes, settingScene } from "./command-scene.ts";

let world: ApiWorld;
const scenes = commandScenes(() => world);
beforeAll(async () => {
  world = await startApiWorld();
});
afterEach(() => scenes.end());
afterAll(() => world.close());

/** Of messages: behind every command of the fake gateway. */
const LATER = 9_000_000_000_000;
const SOON = new Date(Date.now() + 3_600_000).toISOString();

const stationWith = (version: Parameters<typeof settingScene>[1], response?: Parameters<typeof settingScene>[2]) =>
  settingScene(scenes, version, response);

test("other organisations see none of it", async () => {
  const { id } = await stationWith("1.6");
  const { key } = await world.organization();
  for (const what of [
    "reservations",
    "charging-profiles",
    "charging-limits",
    "local-list",
    "firmware-updates",
    "log-uploads",
    "availability",
  ])
    expect((await world.ask("GET", `/api/v1/charge-points/${id}/${what}`, { as: key })).body.code).toBe(
      "charge_point_not_found",
    );
  expect((await world.ask("POST", `/api/v1/charge-points/${id}/local-list/sync`, { as: key, body: {} })).status).toBe(
    404,
  );
});

describe("reservations", () => {
  test.each([
    ["1.6", { connectorId: 1, expiryDate: SOON, idTag: "T1", reservationId: 7, parentIdTag: "G" }],
    [
      "2.0.1",
      {
        id: 7,
        expiryDateTime: SOON,
        idToken: { idToken: "T1", type: "ISO14443" },
        evseId: 1,
        groupIdToken: { idToken: "G", type: "Central" },
      },
    ],
    [
      "2.1",
      {
        id: 7,
        expiryDateTime: SOON,
        idToken: { idToken: "T1", type: "ISO14443" },
        evseId: 1,
        groupIdToken: { idToken: "G", type: "Central" },
      },
    ],
  ] as const)("OCPP %s: accepted, cancelled, made again, used", async (version, reserve) => {
    const { send, shows, stationId } = await stationWith(version);
    await send("ReserveNow", reserve);
    expect((await shows("reservations")).reservations).toEqual([
      expect.objectContaining({
        reservation_id: 7,
        evse_id: 1,
        id_token: "T1",
        id_token_type: version === "1.6" ? null : "ISO14443",
        group_id_token: "G",
        state: "active",
        expires_at: SOON,
      }),
    ]);
    await send("CancelReservation", { reservationId: 7 });
    expect((await shows("reservations?state=cancelled")).reservations).toHaveLength(1);
    expect((await shows("reservations?state=active")).reservations).toHaveLength(0);
    await send("ReserveNow", reserve);
    const use = { stationId, reservationId: 7, state: "used" as const, transactionId: "tx-1", receivedAt: new Date() };
    await recordReservationUpdates(world.sql, [{ ...use, epoch: LATER, seq: 1 }]);
    // An older word changes nothing, and neither does one on a reservation that ended.
    await recordReservationUpdates(world.sql, [{ ...use, state: "expired", epoch: 1, seq: 9 }]);
    await recordReservationUpdates(world.sql, [{ ...use, state: "removed", epoch: LATER, seq: 2 }]);
    expect((await shows("reservations")).reservations).toMatchObject([{ state: "used", transaction_id: "tx-1" }]);
  });

  test("one that was refused is none, and one whose time is over is shown as expired", async () => {
    const { send, shows } = await stationWith("1.6", (command) => ({
      status: command.payload?.includes("T2") ? "Occupied" : "Accepted",
    }));
    const reserve = { connectorId: 1, expiryDate: "2026-01-01T00:00:00Z", reservationId: 1 };
    await send("ReserveNow", { ...reserve, idTag: "T1" });
    await send("ReserveNow", { ...reserve, reservationId: 2, idTag: "T2" });
    const { reservations } = await shows("reservations");
    expect(reservations).toMatchObject([{ reservation_id: 1, state: "expired", ended_at: null }]);
  });

  test("page by page, newest first", async () => {
    const { send, get, id } = await stationWith("1.6");
    for (const reservationId of [1, 2, 3])
      await send("ReserveNow", { connectorId: 0, expiryDate: SOON, idTag: "T", reservationId });
    const path = `/api/v1/charge-points/${id}/reservations?limit=2`;
    const first = (await get(path)).body;
    expect(first.reservations.map((one: { reservation_id: number }) => one.reservation_id)).toEqual([3, 2]);
    const second = (await get(`${path}&cursor=${first.next_cursor}`)).body;
    expect([second.reservations.length, second.reservations[0].reservation_id, second.has_more]).toEqual([1, 1, false]);
  });
});

const ids = async (shows: (what: string) => Promise<{ charging_profiles: { profile_id: number }[] }>) =>
  (await shows("charging-profiles")).charging_profiles.map((profile) => profile.profile_id);

describe("charging profiles", () => {
  test.each(["1.6", "2.0.1", "2.1"] as const)(
    "OCPP %s: our power limits, set and cleared by their ids",
    async (version) => {
      const { operator, shows } = await stationWith(version);
      for (const connector_id of [0, 1, 2])
        await operator({ command: "set_power_limit", parameters: { connector_id, limit_watts: 7_000 } });
      await operator({ command: "set_power_limit", parameters: { connector_id: 1, limit_watts: 5_000 } });
      expect(await ids(shows)).toEqual([9_000, 9_001, 9_002]);
      const { charging_profiles } = await shows("charging-profiles");
      expect(charging_profiles[1]).toMatchObject({ evse_id: 1, purpose: "TxDefaultProfile", source: "command" });
      expect(JSON.stringify(charging_profiles[1].profile)).toContain('"limit":5000');
      await operator({ command: "clear_power_limit", parameters: { connector_id: 1 } });
      expect(await ids(shows)).toEqual([9_000, 9_002]);
    },
  );

  const profile16 = (chargingProfileId: number, stackLevel: number, purpose = "TxDefaultProfile") => ({
    chargingProfileId,
    stackLevel,
    chargingProfilePurpose: purpose,
    chargingProfileKind: "Absolute",
    chargingSchedule: { chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit: 16 }] },
  });

  test("1.6: a profile takes the place of the one with its stack level and purpose; clearing goes by criteria", async () => {
    const { send, shows } = await stationWith("1.6");
    const set = (connectorId: number, ...profile: Parameters<typeof profile16>) =>
      send("SetChargingProfile", { connectorId, csChargingProfiles: profile16(...profile) });
    await set(1, 1, 0);
    await set(1, 2, 0);
    await set(1, 3, 1);
    await set(2, 4, 0);
    expect(await ids(shows)).toEqual([2, 3, 4]);
    await send("ClearChargingProfile", { connectorId: 1, stackLevel: 1 });
    expect(await ids(shows)).toEqual([2, 4]);
    await send("ClearChargingProfile", { chargingProfilePurpose: "TxDefaultProfile" });
    expect(await ids(shows)).toEqual([]);
  });

  test("a remote start brings its profile along; a profile of a transaction that ended is not shown", async () => {
    const { send, shows, stationId, orgId } = await stationWith("2.0.1");
    const profile = {
      id: 5,
      stackLevel: 1,
      chargingProfilePurpose: "TxProfile",
      chargingProfileKind: "Relative",
      chargingSchedule: [{ id: 1, chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit: 10 }] }],
    };
    await send("RequestStartTransaction", {
      remoteStartId: 1,
      evseId: 1,
      idToken: { idToken: "T", type: "Central" },
      chargingProfile: profile,
    });
    await send("SetChargingProfile", { evseId: 1, chargingProfile: { ...profile, id: 6, transactionId: "tx-old" } });
    await world.sql.query(
      `insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, state) values ('sess_p1', $1, $2, '2.0.1', 'tx-old', 'ended')`,
      [orgId, stationId],
    );
    expect(await ids(shows)).toEqual([5]);
  });

  test("what the station reports is what there is, once the report on everything is complete", async () => {
    const { send, shows, stationId } = await stationWith("2.1");
    for (const connector_id of [1, 2])
      await send("SetChargingProfile", {
        evseId: connector_id,
        chargingProfile: {
          id: connector_id,
          stackLevel: 0,
          chargingProfilePurpose: "TxDefaultProfile",
          chargingProfileKind: "Absolute",
          chargingSchedule: [{ id: 1, chargingRateUnit: "W", chargingSchedulePeriod: [{ startPeriod: 0, limit: 10 }] }],
        },
      });
    await send("GetChargingProfiles", { requestId: 77, chargingProfile: {} });
    const external = {
      id: 300,
      stackLevel: 0,
      chargingProfilePurpose: "ChargingStationExternalConstraints",
      chargingProfileKind: "Absolute",
      chargingSchedule: [],
    };
    const part = { stationId, requestId: 77, evseId: 0, limitSource: "EMS", receivedAt: new Date(), epoch: LATER };
    await recordProfileReports(world.sql, [{ ...part, seq: 1, profiles: [external], last: false }]);
    expect(await ids(shows)).toEqual([1, 2, 300]);
    const mine = { ...external, id: 1, chargingProfilePurpose: "TxDefaultProfile" };
    await recordProfileReports(world.sql, [{ ...part, seq: 2, limitSource: "CSO", profiles: [mine], last: true }]);
    expect(await ids(shows)).toEqual([1, 300]);
    expect((await shows("charging-profiles")).charging_profiles[1]).toMatchObject({
      source: "report",
      limit_source: "EMS",
    });
  });
});

describe("reports of many charge points in one batch", () => {
  /** The same connection, counting. */
  const counting = () => {
    const statements: string[] = [];
    return {
      statements,
      sql: {
        query: <Row extends object>(text: string, values?: readonly unknown[]) => {
          statements.push(text);
          return world.sql.query<Row>(text, values);
        },
      },
    };
  };
  const profile = (id: number, stackLevel = 0) => ({
    id,
    stackLevel,
    chargingProfilePurpose: "TxDefaultProfile",
    chargingProfileKind: "Absolute",
    chargingSchedule: [],
  });

  test("profiles: each charge point's last word counts, in three statements", async () => {
    const [one, two] = [await stationWith("2.1"), await stationWith("2.0.1")];
    for (const { send } of [one, two]) {
      await send("SetChargingProfile", {
        evseId: 1,
        chargingProfile: {
          ...profile(1),
          chargingSchedule: [{ id: 1, chargingRateUnit: "W", chargingSchedulePeriod: [{ startPeriod: 0, limit: 10 }] }],
        },
      });
      await send("GetChargingProfiles", { requestId: 7, chargingProfile: {} });
      await send("GetChargingProfiles", { requestId: 8, chargingProfile: {} });
    }
    const part = (stationId: string, requestId: number, seq: number, profiles: unknown[], last = false) => ({
      ...{ stationId, requestId, profiles, last, evseId: 1, limitSource: "CSO" },
      ...{ receivedAt: new Date(), epoch: LATER, seq },
    });
    const { sql, statements } = counting();
    await recordProfileReports(sql, [
      part(two.stationId, 7, 1, [profile(2)]),
      part(one.stationId, 8, 4, [profile(3, 5)], true),
      part(two.stationId, 99, 2, [profile(4)], true),
      part(one.stationId, 7, 1, [profile(2), profile(3), profile(3, 9)]),
      part(one.stationId, 7, 2, [profile(4), { id: "none" }], true),
      part(one.stationId, 7, 3, [profile(5)]),
    ]);
    expect(statements).toHaveLength(3);
    // Of the first, what 8 did not have went with it; of the second no report was complete: nobody asked for 99.
    expect([await ids(one.shows), await ids(two.shows)]).toEqual([[3], [1, 2, 4]]);
    expect((await one.shows("charging-profiles")).charging_profiles).toMatchObject([{ stack_level: 5 }]);
    const rows = await world.sql.query<{ profile_id: string; seq: number }>(
      "select profile_id::text, seq from charging_profiles where station_id = $1 and cleared_at is not null order by profile_id",
      [one.stationId],
    );
    expect(rows.map((row) => [row.profile_id, row.seq])).toEqual([
      ["1", 2],
      ["2", 4],
      ["4", 4],
      ["5", 4],
    ]);
    await recordProfileReports(sql, [part(one.stationId, 6, 1, [profile(3, 1), profile(1)])]);
    expect(await ids(one.shows)).toEqual([3]);
  });

  test("limits: told, taken away and told again, whichever comes last; an older word changes nothing", async () => {
    const { stationId, shows } = await stationWith("2.1");
    const word = (seq: number, limitSource: string, said: object | undefined, epoch = LATER) => ({
      ...{ stationId, evseId: 0, kind: "limit" as const, limitSource, payload: said && JSON.stringify(said) },
      ...{ receivedAt: new Date(1_760_000_000_000 + seq), epoch, seq },
    });
    const { sql, statements } = counting();
    await recordChargingReports(sql, [
      word(3, "EMS", undefined),
      word(1, "EMS", { limit: 1 }),
      word(2, "SO", undefined),
      word(4, "SO", { limit: "l'\"\\{}" }),
      word(5, "CSO", undefined),
    ]);
    expect(statements).toHaveLength(2);
    expect((await shows("charging-limits")).charging_limits).toMatchObject([
      { limit_source: "SO", message: { limit: "l'\"\\{}" } },
    ]);
    await recordChargingReports(sql, [word(9, "SO", undefined, 1), word(9, "EMS", { limit: 2 }, 1)]);
    expect((await shows("charging-limits")).charging_limits).toHaveLength(1);
    const rows = await world.sql.query<{ limit_source: string; payload: object; seq: number }>(
      "select limit_source, payload, seq from charging_reports where station_id = $1 order by limit_source",
      [stationId],
    );
    expect(rows).toEqual([
      { limit_source: "CSO", payload: {}, seq: 5 },
      { limit_source: "EMS", payload: { limit: 1 }, seq: 3 },
      { limit_source: "SO", payload: { limit: "l'\"\\{}" }, seq: 4 },
    ]);
  });
});

test("a charge point that was told to go out of service says so, at once or after the transaction", async () => {
  let status = "Scheduled";
  const { operator, shows } = await stationWith("2.0.1", () => ({ status }));
  await operator({ command: "set_unavailable", parameters: { connector_id: 1 } });
  status = "Accepted";
  await operator({ command: "set_unavailable" });
  status = "Rejected";
  await operator({ command: "set_available" });
  expect((await shows("availability")).availability).toMatchObject([
    { evse_id: null, connector_id: null, wanted: "Inoperative", answer: "Accepted" },
    { evse_id: 1, connector_id: null, wanted: "Inoperative", answer: "Scheduled" },
  ]);
});
