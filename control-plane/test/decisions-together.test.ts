import { setTimeout as sleep } from "node:timers/promises";
import type { StationCall } from "@dynamo-csms/proto/generated/station_decisions";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Answer } from "../decisions/answer.ts";
import { decideTogether } from "../decisions/decide-shared.ts";
import { type AskedDecisions, callOf, startDecisions } from "./asked-decisions.ts";
import { type TestStation } from "./registered-station.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

// Questions that come together are decided in one transaction; what is said of each of them alone holds here too.

let scene: TransactionScene;
let decisions: AskedDecisions;
const log = pino({ level: process.env["TEST_LOG_LEVEL"] ?? "silent" });

beforeAll(async () => {
  scene = await startTransactionScene();
  decisions = await startDecisions({ pool: scene.pool });
  // Starts with these tokens cannot be stored: not ever, or not the first times, or not before somebody lets them.
  await scene.pool.query(`
    create sequence refused;
    create function refuse_starts() returns trigger language plpgsql as $$ begin
      if new.id_token = 'poison' then raise exception using errcode = '22023', message = 'poison'; end if;
      if new.id_token = 'deadlock' and nextval('refused') <= 2 then raise exception using errcode = '40P01', message = 'met'; end if;
      return new;
    end $$;
    create trigger refuse_starts before insert on transactions for each row execute function refuse_starts()`);
});
afterAll(async () => {
  await decisions.close();
  await scene.close();
});
beforeEach(() => scene.rows("truncate transactions, transaction_events, quarantine cascade"));

let minute = 0;
const start = (idTag: string, more: object = {}) => ({
  connectorId: 1,
  idTag,
  meterStart: 100,
  timestamp: new Date(Date.UTC(2026, 4, 1) + ++minute * 60_000).toISOString(),
  ...more,
});
const started = (station: TestStation, idTag: string, more: object = {}) =>
  callOf(station, "1.6", "StartTransaction", start(idTag, more));
const newStations = (count: number) => Promise.all(Array.from({ length: count }, () => scene.newStation("1.6")));
const together = (calls: readonly StationCall[]) =>
  decideTogether(calls, {
    pool: scene.pool,
    redis: scene.redis,
    heartbeatIntervalSeconds: 300,
    authCacheSeconds: 600,
    log,
  });
const ask = (calls: readonly StationCall[]) =>
  Promise.all(calls.map((value) => decisions.ask({ $case: "call", value })));
const payloadOf = (answer: Answer | undefined) =>
  answer?.$case === "result" ? (JSON.parse(answer.value.payload) as Record<string, unknown>) : answer;
const statusOf = (answer: Answer | undefined) => {
  const payload = payloadOf(answer) as { idTagInfo?: { status: string }; idTokenInfo?: { status: string } } | undefined;
  return (payload?.idTagInfo ?? payload?.idTokenInfo)?.status;
};
const token = async (name: string, settings: Parameters<TransactionScene["token"]>[1] = {}) => {
  await scene.token(name, { maxActiveTransactions: null, ...settings });
  return name;
};

test("[I2] [C13] [C14] questions of every kind are decided in one transaction, each as if it were alone", async () => {
  await token("free");
  await token("blocked", { status: "Blocked" });
  const [a, b, c, d] = (await newStations(4)) as [TestStation, TestStation, TestStation, TestStation];
  const newer = await scene.newStation("2.0.1");
  const [running] = await together([started(c, "free"), started(d, "free")]);
  const { transactionId } = payloadOf(running) as { transactionId: number };
  const stop = { transactionId, meterStop: 900, timestamp: "2026-05-02T10:00:00Z", idTag: "blocked" };
  const event = {
    eventType: "Started",
    timestamp: "2026-05-01T10:00:00Z",
    triggerReason: "Authorized",
    seqNo: 0,
    transactionInfo: { transactionId: "tx-1" },
    idToken: { idToken: "free", type: "ISO14443" },
  };
  const idToken = { idToken: "stranger", type: "ISO14443" };
  const answers = await together([
    callOf(a, "1.6", "Authorize", { idTag: "FREE" }),
    callOf(newer, "2.0.1", "Authorize", { idToken }),
    started(a, "free"),
    started(b, "blocked"),
    callOf(c, "1.6", "StopTransaction", stop),
    callOf(d, "1.6", "StopTransaction", stop),
    callOf(newer, "2.0.1", "TransactionEvent", event),
    callOf(newer, "2.0.1", "TransactionEvent", event),
    callOf(b, "1.6", "StartTransaction", start("free", { connectorId: 99_999_999_999 })),
    callOf({ ...a, identity: "cp_nobody" as TestStation["identity"] }, "1.6", "Authorize", { idTag: "free" }),
  ]);
  expect(answers.map((answer) => statusOf(answer) ?? answer?.$case)).toEqual([
    "Accepted",
    "Unknown",
    "Accepted",
    "Blocked",
    "Blocked",
    "Blocked",
    "Accepted",
    "Accepted",
    "Invalid",
    "unavailable",
  ]);
  // What the batch wrote was committed at once: one transaction of Postgres.
  expect(
    await scene.rows(
      `select count(distinct xmin::text)::int as n from
        (select xmin from transactions where state = 'ended' or station_id = any($1) union all select xmin from transaction_events) written`,
      [[a.id, b.id, newer.id]],
    ),
  ).toEqual([{ n: 1 }]);
  expect(await scene.transactionsOf(c, "state, meter_stop_wh")).toEqual([{ state: "ended", meter_stop_wh: "900" }]);
  // Nobody stops another's transaction, also not in the same batch (I8).
  expect(await scene.transactionsOf(d, "state")).toEqual([{ state: "active" }]);
  expect(await scene.quarantined(d)).toEqual(["unknown transaction"]);
  expect(await scene.quarantined(b)).toEqual(["cannot be read"]);
  expect(await scene.told(c)).toEqual(["session.started", "session.ended"]);
  expect(await scene.transactionsOf(newer, "transaction_id, id_token_status")).toEqual([
    { transaction_id: "tx-1", id_token_status: "Accepted" },
  ]);
});

test("[C13] starts of one limited token in a batch: as many are accepted as the token allows, in their order", async () => {
  await token("two", { maxActiveTransactions: 2 });
  const stations = await newStations(4);
  const newer = await scene.newStation("2.1");
  const event = {
    eventType: "Started",
    timestamp: new Date().toISOString(),
    triggerReason: "Authorized",
    seqNo: 0,
    transactionInfo: { transactionId: "tx" },
    idToken: { idToken: "TWO", type: "ISO14443" },
  };
  const calls = stations.map((station, place) => started(station, place % 2 === 0 ? "two" : "TWO"));
  expect((await together(calls)).map(statusOf)).toEqual(["Accepted", "Accepted", "ConcurrentTx", "ConcurrentTx"]);
  expect(
    (await together([callOf(newer, "2.1", "TransactionEvent", event), calls[0] as StationCall])).map(statusOf),
  ).toEqual(["ConcurrentTx", "Accepted"]);
  // Asked again, in another order: each is told what it was told.
  expect((await together(calls.toReversed())).map(statusOf)).toEqual([
    "ConcurrentTx",
    "ConcurrentTx",
    "Accepted",
    "Accepted",
  ]);
  expect(await scene.rows("select count(*)::int as n from transactions")).toEqual([{ n: 5 }]);
});

test("[C13] [F6] what a station asked later goes by what it asked before, in the same batch too", async () => {
  await token("free");
  const [a, b] = (await newStations(2)) as [TestStation, TestStation];
  const first = started(a, "free");
  const again = { ...first, messageId: "other", nodeId: "node-b" };
  const next = { ...started(a, "free"), receivedAtMs: first.receivedAtMs + 1_000 };
  const answers = await together([first, started(b, "free"), again, next]);
  expect(answers[2]).toEqual(answers[0]);
  expect(payloadOf(answers[3])).not.toEqual(payloadOf(answers[0]));
  expect(await scene.transactionsOf(a, "given_up_reason")).toEqual([
    { given_up_reason: "newer_transaction" },
    { given_up_reason: null },
  ]);
  const { transactionId } = payloadOf(answers[3]) as { transactionId: number };
  const stop = { transactionId, meterStop: 200, timestamp: "2026-05-03T10:00:00Z" };
  await together([
    callOf(a, "1.6", "StopTransaction", stop),
    started(b, "free"),
    callOf(a, "1.6", "StopTransaction", stop),
    callOf(a, "1.6", "StopTransaction", { ...stop, meterStop: 300 }),
  ]);
  expect(await scene.transactionsOf(a, "state, meter_stop_wh")).toEqual([
    { state: "active", meter_stop_wh: null },
    { state: "ended", meter_stop_wh: "200" },
  ]);
  expect(await scene.quarantined(a)).toEqual(["already stopped otherwise"]);
});

test("[I10] a token is judged by the station's own organisation", async () => {
  const other = await scene.newProject();
  await token("same");
  await scene.token("same", { status: "Blocked" }, other);
  const [ours, theirs] = [await scene.newStation("1.6"), await scene.newStation("1.6", other)];
  const answers = await together([
    callOf(ours, "1.6", "Authorize", { idTag: "same" }),
    callOf(theirs, "1.6", "Authorize", { idTag: "same" }),
    started(ours, "same"),
    started(theirs, "same"),
  ]);
  expect(answers.map(statusOf)).toEqual(["Accepted", "Blocked", "Accepted", "Blocked"]);
  expect(
    await scene.rows("select s.org_id = t.org_id as own from transactions t join stations s on s.id = t.station_id"),
  ).toEqual([{ own: true }, { own: true }]);
});

test("[I9] one that cannot be stored is refused alone; its neighbours are decided and committed", async () => {
  await token("free");
  const stations = await newStations(9);
  const calls = stations.map((station, place) => started(station, place === 4 ? "poison" : "free"));
  const answers = await ask(calls);
  expect(answers.map((answer) => statusOf(answer) ?? answer)).toEqual(
    calls.map((_, place) =>
      place === 4
        ? { $case: "refusal", value: { refusal: "internal", description: "the message could not be processed" } }
        : "Accepted",
    ),
  );
  expect(await scene.rows("select count(*)::int as n from transactions")).toEqual([{ n: 8 }]);
});

test("[I9] one that somebody else holds up waits alone; its neighbours are answered meanwhile", async () => {
  await token("free");
  await token("held", { maxActiveTransactions: 1 });
  const stations = await newStations(6);
  const holder = await scene.pool.connect();
  await holder.query("begin");
  await holder.query("select 1 from id_tokens where token = 'held' for update");
  const asked = stations.map((station, place) =>
    decisions.ask({ $case: "call", value: started(station, place === 2 ? "held" : "free") }, 20_000),
  );
  const [held] = asked.splice(2, 1);
  expect((await Promise.all(asked)).map(statusOf)).toEqual([
    "Accepted",
    "Accepted",
    "Accepted",
    "Accepted",
    "Accepted",
  ]);
  await holder.query("rollback");
  holder.release();
  expect(statusOf(await (held as (typeof asked)[number]))).toBe("Accepted");
});

test("[I2] transactions that met are tried again, and each start is one row", async () => {
  await token("free");
  await token("deadlock");
  await scene.rows("alter sequence refused restart");
  const stations = await newStations(5);
  const answers = await ask(stations.map((station, place) => started(station, place === 1 ? "deadlock" : "free")));
  expect(answers.map(statusOf)).toEqual(["Accepted", "Accepted", "Accepted", "Accepted", "Accepted"]);
  expect(await scene.rows("select last_value::int as n from refused")).toEqual([{ n: 3 }]);
  expect(await scene.rows("select count(*)::int as n from transactions")).toEqual([{ n: 5 }]);
});

test("[1.6-never-error] Postgres goes away in the middle of a batch: nothing of it is half done, and each is answered once it is back", async () => {
  await token("free");
  const stations = await newStations(6);
  const holder = await scene.pool.connect();
  await holder.query("begin");
  await holder.query("lock table transactions in share mode");
  const asked = ask(stations.map((station) => started(station, "free")));
  const waiting = () =>
    scene.rows<{ pid: number }>(
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
  while ((await waiting()).length === 0) await sleep(5);
  for (const { pid } of await waiting()) await scene.rows("select pg_terminate_backend($1)", [pid]);
  expect(await scene.rows("select 1 from transactions")).toEqual([]);
  await holder.query("rollback");
  holder.release();
  const answers = await asked;
  // Who was in that batch was decided again, or told to go by itself: then it asks again.
  for (const [place, answer] of answers.entries())
    if (answer?.$case === "unavailable")
      answers[place] = await decisions.ask({ $case: "call", value: started(stations[place] as TestStation, "free") });
  expect(answers.map(statusOf)).toEqual(stations.map(() => "Accepted"));
  expect(await scene.rows("select count(*)::int as n from transactions")).toEqual([{ n: 6 }]);
});
