import { afterAll, beforeAll, expect, test } from "vitest";
import { type RecordedEvent, sqlOn } from "../database.ts";
import { tellSessions } from "../sessions/tell-sessions.ts";
import { tellUntoldSessions, UNTOLD } from "../sessions/tell-untold-sessions.ts";
import { connectionOf } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";
import { accepted, EPOCH, start } from "./transaction-payloads.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

let scene: TransactionScene;
beforeAll(async () => void (scene = await startTransactionScene()));
afterAll(() => scene.close());

/** As a process of the first release writes a transaction, which knows nothing of telling. */
const written = (station: TestStation, version: string, id: string, state: string, confirmed = false) =>
  scene.rows(
    `insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, state, started_at, stopped_at, start_confirmed_at)
     values ($1, $2, $3, $4, $5, $6, now() - interval '1 h', case when $6 = 'ended' then now() end, case when $7 then now() end)`,
    [`sess_${station.id}_${id}`, scene.project.orgId, station.id, version, id, state, confirmed],
  );
const sweep = (limit = 100) => tellUntoldSessions({ pool: scene.pool, limit });

test("sessions that processes of the former release began or ended are told, each once, a few at a time", async () => {
  const [running, over, old, later] = [
    await scene.newStation("2.0.1"),
    await scene.newStation("2.0.1"),
    await scene.newStation("1.6"),
    await scene.newStation("1.6"),
  ];
  await written(running, "2.0.1", "tx-1", "active");
  await written(over, "2.0.1", "tx-1", "ended");
  await written(old, "1.6", "800001", "active", true);
  // Its station was perhaps never told the number.
  await written(later, "1.6", "800002", "active");
  // One that this release told.
  const own = await scene.newStation("1.6");
  await scene.file(connectionOf(own, "1.6", EPOCH).call("StartTransaction", start(), { answer: accepted(800_003) }));
  expect([await sweep(2), await sweep(2), await sweep(2)]).toEqual([2, 1, 0]);
  const told = async () =>
    Promise.all([running, over, old, later, own].map(async (station) => (await scene.told(station)).sort()));
  const once = [
    ["session.started"],
    ["session.ended", "session.started"],
    ["session.started"],
    [],
    ["session.started"],
  ];
  expect(await told()).toEqual(once);
  await scene.rows("update transactions set state = 'ended', stopped_at = now() where transaction_id = '800001'");
  await scene.rows("update transactions set start_confirmed_at = now() where transaction_id = '800002'");
  await Promise.all([sweep(), sweep()]);
  await sweep();
  expect(await told()).toEqual(once.with(2, ["session.ended", "session.started"]).with(3, ["session.started"]));
});

test("an event of a session is known by when the message came that it tells of", async () => {
  const station = await scene.newStation("2.0.1");
  await written(station, "2.0.1", "tx-9", "ended");
  const [row] = await scene.rows<{ stationId: string }>(
    `update transactions set start_received_at = '2026-03-01T10:00:00.123Z', stop_received_at = '2026-03-01T11:00:00.456Z'
     where session_id = $1 returning station_id::text as "stationId"`,
    [`sess_${station.id}_tx-9`],
  );
  const came: (string | undefined)[] = [];
  const eventsRecorded = (events: readonly RecordedEvent[]) =>
    void came.push(...events.map(({ receivedAt }) => receivedAt?.toISOString()));
  await tellSessions({ ...sqlOn(scene.pool), eventsRecorded }, [
    { stationId: row?.stationId as string, transactionId: "tx-9" },
  ]);
  expect(came).toEqual(["2026-03-01T10:00:00.123Z", "2026-03-01T11:00:00.456Z"]);
});

test("the sweep looks only at what is untold", async () => {
  await scene.rows("analyze transactions");
  const client = await scene.pool.connect();
  try {
    await client.query("begin; set local enable_seqscan = off");
    const { rows } = await client.query<{ "QUERY PLAN": string }>(
      `explain select 1 from transactions where ${UNTOLD} order by transactions.id limit 100`,
    );
    expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("transactions_untold");
  } finally {
    await client.query("rollback");
    client.release();
  }
});
