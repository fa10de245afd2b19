import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askTransactionStatus } from "../transactions/ask-transaction-status.ts";
import { OUTCOME_EFFECTS } from "../commands/outcome-effects.ts";
import { connectionOf } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

let scene: TransactionScene;
beforeAll(async () => {
  scene = await startTransactionScene();
  await scene.token("card-1", { maxActiveTransactions: null });
});
afterAll(() => scene.close());

const EPOCH = 1_700_000_000_000;
const DAY_MS = 86_400_000;
const daysAgo = (days: number, minutes = 0) => new Date(Date.now() - days * DAY_MS + minutes * 60_000).toISOString();
const start = (more: object = {}) => ({
  connectorId: 1,
  idTag: "card-1",
  meterStart: 100,
  timestamp: "2026-05-01T10:00:00Z",
  ...more,
});
const accepted = (transactionId: unknown) => ({ transactionId, idTagInfo: { status: "Accepted" } });
const transactionsOf = (station: TestStation, columns: string) =>
  scene.rows(`select ${columns} from transactions where station_id = $1 order by id`, [station.id]);
const quarantined = async (station: TestStation) =>
  (await scene.rows("select reason from quarantine where station_id = $1 order by seq", [station.id])).map(
    ({ reason }) => reason,
  );

describe("OCPP 1.6", () => {
  test("[1.6-historic] sessions of days ago come late and in any order, and are sessions like others", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const older = start({ timestamp: daysAgo(3) });
    const newer = start({ timestamp: daysAgo(2) });
    await scene.file(
      cp.call("StartTransaction", newer, { answer: accepted(900_002) }),
      cp.call("StartTransaction", older, { answer: accepted(900_001) }),
      cp.call("StopTransaction", { transactionId: 900_001, meterStop: 350, timestamp: daysAgo(3, 60) }, { answer: {} }),
      cp.call("StopTransaction", { transactionId: 900_002, meterStop: 600, timestamp: daysAgo(2, 60) }, { answer: {} }),
      cp.call("MeterValues", {
        connectorId: 1,
        transactionId: 900_001,
        meterValue: [{ timestamp: daysAgo(3, 30), sampledValue: [{ value: "200" }] }],
      }),
    );
    expect(
      await transactionsOf(station, "transaction_id, state, meter_stop_wh, stopped_at > started_at as forwards"),
    ).toEqual([
      { transaction_id: "900002", state: "ended", meter_stop_wh: "600", forwards: true },
      { transaction_id: "900001", state: "ended", meter_stop_wh: "350", forwards: true },
    ]);
    expect(await scene.told(station)).toEqual(
      ["session.started", "session.started", "session.ended", "session.ended"].sort().reverse(),
    );
    expect(await quarantined(station)).toEqual([]);
  });

  test("[C13] [1.6-start] [F6] a start sent again, with its id or another, to this node or another, is one row and one session", async () => {
    const station = await scene.newStation("1.6");
    const answer = await scene.decide(station, "1.6", "StartTransaction", start());
    await scene.token("card-1", { status: "Blocked", maxActiveTransactions: null });
    expect(await scene.decide(station, "1.6", "StartTransaction", start(), "node-b")).toEqual(answer);
    await scene.token("card-1", { maxActiveTransactions: null });
    for (const [epoch, messageId] of [
      [EPOCH, "1"],
      [EPOCH, "2"],
      [EPOCH + 1, "1"],
    ] as const)
      await scene.file(connectionOf(station, "1.6", epoch).call("StartTransaction", start(), { answer, messageId }));
    expect(await transactionsOf(station, "transaction_id, id_token_status")).toEqual([
      { transaction_id: String(answer["transactionId"]), id_token_status: "Accepted" },
    ]);
    expect(await scene.told(station)).toEqual(["session.started"]);
    // Another start under the same message id is another start: a rebooted station counts from 1 again.
    const other = await scene.decide(station, "1.6", "StartTransaction", start({ timestamp: "2026-05-01T12:00:00Z" }));
    expect(other["transactionId"]).not.toBe(answer["transactionId"]);
  });

  test("[C14] [1.6-stop] [1.6-unknown] stops that came twice, differ, or are of nothing we know: the first counts, each is kept", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const answer = await scene.decide(station, "1.6", "StartTransaction", start());
    const stop = { transactionId: answer["transactionId"], meterStop: 500, timestamp: "2026-05-01T11:00:00Z" };
    // As gateways answer alone.
    await scene.file(
      cp.call("StartTransaction", start(), { answer }),
      cp.call("StopTransaction", stop, { answer: {} }),
      cp.call("StopTransaction", stop, { answer: {} }),
      cp.call("StopTransaction", { ...stop, meterStop: 900 }, { answer: {} }),
      ...[2_000_000_000, -1, 0].map((transactionId) =>
        cp.call("StopTransaction", { ...stop, transactionId }, { answer: {} }),
      ),
    );
    expect(await transactionsOf(station, "state, meter_stop_wh")).toEqual([{ state: "ended", meter_stop_wh: "500" }]);
    expect(await quarantined(station)).toEqual([
      "already stopped otherwise",
      "unknown transaction",
      "unknown transaction",
      "unknown transaction",
    ]);
    expect(await scene.told(station)).toEqual(["session.started", "session.ended"]);
  });

  test("[C18] thousands of readings of an unknown transaction are filed, and their message is set aside once", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const count = 6_000;
    const meterValue = Array.from({ length: count }, (_, place) => ({
      timestamp: new Date(Date.UTC(2026, 4, 1) + place * 60_000).toISOString(),
      sampledValue: [{ value: String(place), context: "Sample.Periodic", unit: `unit-${place % 3_000}` }],
    }));
    await scene.file(cp.call("MeterValues", { connectorId: 1, transactionId: 2_000_000_001, meterValue }));
    expect(await quarantined(station)).toEqual(["unknown transaction"]);
    const [filed] = await scene.rows(
      `select count(*)::int as readings, count(distinct shape)::int as shapes,
         count(*) filter (where h.members like '%"unit-' || (m.vals[1] % 3000) || '"%')::int as good
       from meter_values m join meter_shapes h on h.id = m.shape where station_id = $1`,
      [station.id],
    );
    expect(filed).toEqual({ readings: count, shapes: 3_000, good: count });
  });

  test("[C14] [D8] [1.6-owner] no station touches a transaction of another, of its own organisation or a foreign one", async () => {
    const [owner, foreign] = [await scene.newStation("1.6"), await scene.newStation("1.6", await scene.newProject())];
    const sister = await scene.newStation("1.6");
    const answer = await scene.decide(owner, "1.6", "StartTransaction", start());
    const { transactionId } = answer;
    await scene.file(connectionOf(owner, "1.6", EPOCH).call("StartTransaction", start(), { answer }));
    for (const other of [sister, foreign]) {
      const cp = connectionOf(other, "1.6", EPOCH);
      await scene.decide(other, "1.6", "StopTransaction", {
        transactionId,
        meterStop: 1,
        timestamp: "2026-05-01T11:00:00Z",
      });
      await scene.file(
        cp.call("StopTransaction", { transactionId, meterStop: 1, timestamp: "2026-05-01T11:00:00Z" }, { answer: {} }),
        cp.call("MeterValues", {
          connectorId: 1,
          transactionId,
          meterValue: [{ timestamp: "2026-05-01T10:30:00Z", sampledValue: [{ value: "AQID", format: "SignedData" }] }],
        }),
      );
      expect(await scene.told(other)).toEqual([]);
      expect(await scene.rows("select transaction_id from meter_values where station_id = $1", [other.id])).toEqual([
        { transaction_id: "0" },
      ]);
    }
    expect(await transactionsOf(owner, "state, stopped_at")).toEqual([{ state: "active", stopped_at: null }]);
    expect(await scene.rows("select 1 from signed_meter_values where station_id = $1", [owner.id])).toEqual([]);
  });

  test("[1.6-ids] ids are drawn once in the deployment, from 1 to 2^31-1, and never below one that a station was told", async () => {
    const project = await scene.newProject();
    const stations = [await scene.newStation("1.6"), await scene.newStation("1.6", project)];
    const ids = await Promise.all(
      [...stations, ...stations].map(
        async (station, place) =>
          (await scene.decide(station, "1.6", "StartTransaction", start({ meterStart: place })))["transactionId"],
      ),
    );
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toSatisfy((n: number) => Number.isInteger(n) && n >= 1 && n <= 2_147_483_647);
    // Postgres has lost its last commits: the lane tells of an id that it does not know.
    const [station] = stations as [TestStation];
    const told = Number(ids.at(-1)) + 1_000_000;
    await scene.file(
      connectionOf(station, "1.6", EPOCH).call("StartTransaction", start({ meterStart: 7 }), {
        answer: accepted(told),
      }),
    );
    const next = await scene.decide(station, "1.6", "StartTransaction", start({ meterStart: 8 }));
    expect(next["transactionId"]).toBeGreaterThan(told);
  });

  test.each([
    ["2026-05-01T10:00:00", "2026-05-01T10:00:00.000Z", []],
    ["2026-05-01T10:00:00+05:30", "2026-05-01T04:30:00.000Z", []],
    ["2026-05-01T10:00:00.123456789Z", "2026-05-01T10:00:00.123Z", []],
    ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", []],
    ["2099-01-01T00:00:00Z", "2099-01-01T00:00:00.000Z", []],
    ["2028-02-29T12:00:00Z", "2028-02-29T12:00:00.000Z", []],
    ["2026-02-29T12:00:00Z", undefined, ["start_time_unreadable"]],
    ["yesterday", undefined, ["start_time_unreadable"]],
  ])(
    "[C22] [1.6-clock] a start at %s begins at %s, beside when it was received",
    async (timestamp, startedAt, flags) => {
      const station = await scene.newStation("1.6");
      await scene.decide(station, "1.6", "StartTransaction", start({ timestamp }));
      const [row] = await transactionsOf(station, "started_at, start_received_at, start_timestamp_raw, flags");
      expect(row).toMatchObject({ start_timestamp_raw: timestamp, flags });
      expect(row?.["started_at"]).toEqual(startedAt === undefined ? row?.["start_received_at"] : new Date(startedAt));
    },
  );

  test.each([
    ["9007199254740993", "9007199254740993", []],
    ["-5", "-5", []],
    ["1.5e3", "1500", []],
    ["1e400", null, ["meter_start_unreadable"]],
    ['"12,5"', null, ["meter_start_unreadable"]],
  ])("[C23] a meter at %s is kept as that text, and as the number %s", async (meterStart, wh, flags) => {
    const station = await scene.newStation("1.6");
    const payload = `{"connectorId":1,"idTag":"card-1","meterStart":${meterStart},"timestamp":"2026-05-01T10:00:00Z"}`;
    await scene.decide(station, "1.6", "StartTransaction", payload);
    expect(await transactionsOf(station, "meter_start_raw, meter_start_wh, flags")).toEqual([
      { meter_start_raw: meterStart.replaceAll('"', ""), meter_start_wh: wh, flags },
    ]);
  });

  test("[1.6-flagged] data against its schema is stored raw and set aside, and what can be read of it counts", async () => {
    const station = await scene.newStation("1.6");
    const cp = connectionOf(station, "1.6", EPOCH);
    const answer = await scene.decide(station, "1.6", "StartTransaction", start());
    await scene.file(
      cp.call("StartTransaction", start(), { answer }),
      cp.call(
        "MeterValues",
        {
          connectorId: 1,
          transactionId: answer["transactionId"],
          meterValue: [{ timestamp: "noon", sampledValue: [{ value: 5, extra: true }] }],
        },
        { flagged: true },
      ),
      cp.call(
        "StopTransaction",
        { transactionId: answer["transactionId"], meterStop: 500.5, timestamp: "later", reason: "Bored" },
        { answer: {}, flagged: true },
      ),
    );
    expect(await transactionsOf(station, "state, meter_stop_wh, stop_reason, flags")).toEqual([
      { state: "ended", meter_stop_wh: "500.5", stop_reason: "Bored", flags: ["stop_time_unreadable"] },
    ]);
    expect(await scene.rows("select vals::text, raw from meter_values where station_id = $1", [station.id])).toEqual([
      { vals: "{5}", raw: null },
    ]);
    expect(await quarantined(station)).toEqual(["breaks its schema", "breaks its schema"]);
  });
});

const event = (eventType: string, seqNo: number, more: object = {}) => ({
  eventType,
  timestamp: `2026-05-01T10:0${seqNo}:00Z`,
  triggerReason: "ChargingStateChanged",
  seqNo,
  transactionInfo: { transactionId: "tx-1" },
  evse: { id: 1, connectorId: 1 },
  ...more,
});

describe("OCPP 2.x", () => {
  const file = async (station: TestStation, ...events: object[]) => {
    const cs = connectionOf(station, "2.0.1", EPOCH);
    for (const one of events) await scene.file(cs.call("TransactionEvent", one, { answer: {} }));
  };

  test.each([
    ["0, 2, 1", [event("Started", 0), event("Ended", 2), event("Updated", 1)], true],
    ["the end first", [event("Ended", 2), event("Updated", 1), event("Started", 0)], true],
    ["one of them twice", [event("Started", 0), event("Started", 0), event("Ended", 1), event("Ended", 1)], true],
    ["a counter that goes on from the last transaction", [event("Started", 7), event("Ended", 8)], true],
    ["a gap", [event("Started", 0), event("Ended", 2)], false],
    ["no beginning", [event("Updated", 1), event("Ended", 2)], false],
    ["no end", [event("Started", 0), event("Updated", 1)], false],
  ])(
    "[C15] [1.6-seqno] %s: complete only from Started to Ended without a hole, and each session is told once",
    async (_order, events, complete) => {
      const station = await scene.newStation("2.0.1");
      await file(station, ...events);
      const has = (type: string) => events.some(({ eventType }) => eventType === type);
      expect(await transactionsOf(station, "complete, state")).toEqual([
        { complete, state: has("Ended") ? "ended" : "active" },
      ]);
      expect((await scene.told(station)).sort()).toEqual([
        ...(has("Ended") ? ["session.ended"] : []),
        ...(has("Started") ? ["session.started"] : []),
      ]);
      expect(await quarantined(station)).toEqual([]);
    },
  );

  test("[C15] [1.6-historic] a transaction of three days ago, told offline, keeps its own times; another's seqNo is set aside", async () => {
    const station = await scene.newStation("2.0.1");
    const at = daysAgo(3);
    await file(
      station,
      event("Started", 0, { timestamp: at, offline: true }),
      event("Ended", 1, { timestamp: daysAgo(3, 60), offline: true }),
      event("Ended", 1, { timestamp: daysAgo(1) }),
    );
    expect(await transactionsOf(station, "started_at, offline, complete, state")).toEqual([
      { started_at: new Date(at), offline: true, complete: true, state: "ended" },
    ]);
    expect(await quarantined(station)).toEqual(["another event has this seqNo"]);
  });

  test("[C18] a token that is far too long costs neither the answer nor the transaction", async () => {
    const station = await scene.newStation("2.0.1");
    const idToken = { idToken: randomBytes(8_000).toString("hex"), type: "Central" };
    const answer = await scene.decide(station, "2.0.1", "TransactionEvent", event("Started", 0, { idToken }));
    expect(answer).toEqual({ idTokenInfo: { status: "Unknown" } });
    await file(station, event("Ended", 1, { idToken }));
    expect(await transactionsOf(station, "state, length(id_token) as long, length(stop_id_token) as stop")).toEqual([
      { state: "ended", long: 255, stop: 255 },
    ]);
  });

  test("[D8] two stations with one transaction id have two transactions", async () => {
    const [mine, theirs] = [await scene.newStation("2.0.1"), await scene.newStation("2.0.1", await scene.newProject())];
    await file(mine, event("Started", 0));
    await file(theirs, event("Ended", 1));
    expect(await transactionsOf(mine, "state, ended_seq_no")).toEqual([{ state: "active", ended_seq_no: null }]);
    expect(await transactionsOf(theirs, "state, started_at")).toEqual([{ state: "ended", started_at: null }]);
  });

  const times = { graceMs: 60_000, silenceMs: 600_000 };
  const asked = (station: TestStation) =>
    scene.rows("select action, payload, deliver, requested_by from commands where station_id = $1", [station.id]);
  const letPass = (station: TestStation, interval: string) =>
    scene.rows(
      `update transactions set last_event_at = last_event_at - $2::interval, status_asked_at = status_asked_at - $2::interval where station_id = $1`,
      [station.id, interval],
    );
  const acceptedStation = async () => {
    const station = await scene.newStation("2.0.1");
    await scene.rows("update stations set registration = 'accepted' where id = $1", [station.id]);
    return station;
  };
  /** The station answers the question that waits; undefined: it never does. */
  const answerWith = async (station: TestStation, state: "accepted" | "error" | "timeout", response?: object) => {
    await scene.rows("update commands set final_at = now(), state = $2 where station_id = $1", [station.id, state]);
    for (const effect of OUTCOME_EFFECTS.get("GetTransactionStatus") ?? [])
      await effect(scene.sql, {
        commandId: "cmd_1",
        stationId: station.id,
        orgId: scene.project.orgId,
        version: "2.0.1",
        action: "GetTransactionStatus",
        payload: { transactionId: "tx-1" },
        requestedBy: "system:transaction-status",
        state,
        response,
        at: new Date(),
      });
  };

  test("[C15] [1.6-gaps] a gap is asked about after the grace time, once while that waits, and not again once nothing more will come", async () => {
    const station = await acceptedStation();
    await file(station, event("Started", 0), event("Ended", 2));
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toEqual([]);
    await letPass(station, "61 s");
    await askTransactionStatus(scene.pool, times, 100);
    await askTransactionStatus(scene.pool, times, 100);
    const question = {
      action: "GetTransactionStatus",
      payload: { transactionId: "tx-1" },
      deliver: "when_connected",
      requested_by: "system:transaction-status",
    };
    expect(await asked(station)).toEqual([question]);
    // More is queued in the station: the question stays open.
    await answerWith(station, "accepted", { messagesInQueue: true });
    await letPass(station, "10 minutes");
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(2);
    await answerWith(station, "accepted", { messagesInQueue: false });
    await letPass(station, "1 day");
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(2);
    // The hole is filled after all.
    await file(station, event("Updated", 1));
    expect(await transactionsOf(station, "complete")).toEqual([{ complete: true }]);
    await letPass(station, "1 day");
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(2);
  });

  test("[1.6-gaps] a station that never answers is asked three times; one that does not know the message, once", async () => {
    const [silent, simple] = [await acceptedStation(), await acceptedStation()];
    for (const station of [silent, simple]) await file(station, event("Started", 0), event("Ended", 2));
    for (let round = 0; round < 6; round += 1) {
      for (const station of [silent, simple]) await letPass(station, "1 day");
      await askTransactionStatus(scene.pool, times, 100);
      await answerWith(silent, "timeout");
      await answerWith(simple, "error");
    }
    expect(await asked(silent)).toHaveLength(3);
    expect(await asked(simple)).toHaveLength(1);
  });

  test("[1.6-gaps] a silent transaction that its station does not run any more is given up; its end, should it come, counts", async () => {
    const station = await acceptedStation();
    const rejected = await scene.newStation("2.0.1");
    for (const one of [station, rejected]) {
      await file(one, event("Started", 0));
      await letPass(one, "11 minutes");
    }
    await askTransactionStatus(scene.pool, times, 100);
    expect(await asked(station)).toHaveLength(1);
    // Nothing is asked of a station that is not accepted.
    expect(await asked(rejected)).toEqual([]);
    await answerWith(station, "accepted", { ongoingIndicator: true, messagesInQueue: false });
    expect(await transactionsOf(station, "given_up_reason")).toEqual([{ given_up_reason: null }]);
    await answerWith(station, "accepted", { ongoingIndicator: false, messagesInQueue: false });
    expect(await transactionsOf(station, "state, given_up_reason")).toEqual([
      { state: "active", given_up_reason: "forgotten_by_station" },
    ]);
    await file(station, event("Ended", 1));
    expect(await transactionsOf(station, "state, complete, given_up_reason")).toEqual([
      { state: "ended", complete: true, given_up_reason: null },
    ]);
  });
});

test("what a meter signed is kept with its transaction, once, unchanged, and outlives the readings", async () => {
  const ocmf = 'OCMF|{"FV":"1.0","PG":"T12"}|{"SD":"304402200A"}';
  const [old, newer] = [await scene.newStation("1.6"), await scene.newStation("2.0.1")];
  const cp = connectionOf(old, "1.6", EPOCH);
  const signedStop = {
    transactionId: 950_000,
    meterStop: 200,
    timestamp: "2026-05-01T11:00:00Z",
    transactionData: [
      {
        timestamp: "2026-05-01T11:00:00Z",
        sampledValue: [{ value: ocmf, format: "SignedData", context: "Transaction.End" }, { value: "200" }],
      },
    ],
  };
  await scene.file(
    cp.call("StartTransaction", start(), { answer: accepted(950_000) }),
    cp.call("StopTransaction", signedStop, { answer: {} }),
    cp.call("StopTransaction", signedStop, { answer: {} }),
  );
  const cs = connectionOf(newer, "2.0.1", EPOCH);
  const signedMeterValue = {
    signedMeterData: "AQIDBA==",
    signingMethod: "ECDSA-secp256r1-SHA256",
    encodingMethod: "OCMF",
    publicKey: "b2NhOmJhc2UxNjphc24xOg==",
  };
  const meterValue = [{ timestamp: "2026-05-01T10:00:00Z", sampledValue: [{ value: 1.5, signedMeterValue }] }];
  await scene.file(cs.call("TransactionEvent", event("Started", 0, { meterValue }), { answer: {} }));
  await scene.rows("delete from meter_values");
  const kept = (station: TestStation) =>
    scene.rows(
      "select transaction_id, signed_data, signing_method, encoding_method, public_key, context from signed_meter_values where station_id = $1",
      [station.id],
    );
  expect(await kept(old)).toEqual([
    {
      transaction_id: "950000",
      signed_data: ocmf,
      signing_method: null,
      encoding_method: "OCMF",
      public_key: null,
      context: "Transaction.End",
    },
  ]);
  expect(await kept(newer)).toEqual([
    {
      transaction_id: "tx-1",
      signed_data: signedMeterValue.signedMeterData,
      signing_method: signedMeterValue.signingMethod,
      encoding_method: "OCMF",
      public_key: signedMeterValue.publicKey,
      context: null,
    },
  ]);
});

test("session.authorized is told of an Authorize that was answered Accepted, by whomever", async () => {
  const [old, newer] = [await scene.newStation("1.6"), await scene.newStation("2.0.1")];
  const cp = connectionOf(old, "1.6", EPOCH);
  const cs = connectionOf(newer, "2.0.1", EPOCH);
  await scene.file(
    cp.call("Authorize", { idTag: "CARD-1" }, { answer: { idTagInfo: { status: "Accepted" } } }),
    cp.call("Authorize", { idTag: "CARD-2" }, { answer: { idTagInfo: { status: "Blocked" } } }),
    cs.call(
      "Authorize",
      { idToken: { idToken: "CARD-1", type: "ISO14443" } },
      { answer: { idTokenInfo: { status: "Accepted" } } },
    ),
    cs.call(
      "Authorize",
      { idToken: { idToken: "CARD-1", type: "ISO14443" } },
      { answer: { idTokenInfo: { status: "Unknown" } } },
    ),
  );
  for (const station of [old, newer])
    expect(
      await scene.rows(
        "select type, data->>'id_token' as id_token, data->>'project_id' as project_id from events where data->>'charge_point_id' = $1",
        [station.chargePointId],
      ),
    ).toEqual([{ type: "session.authorized", id_token: "CARD-1", project_id: scene.project.projectId }]);
});
