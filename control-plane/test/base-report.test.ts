import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { inTransaction } from "../database.ts";
import { decideBoot } from "../decisions/decide-boot.ts";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf, type DoubleConnection } from "./lane-double.ts";
import { registerStation, type TestStation } from "./registered-station.ts";

let world: IntakeWorld;
const log = pino({ level: "silent" });
const redis = connectRedis(parseRedisTarget(process.env["TEST_REDIS_URL"] as string), "commands", {
  connectionName: "test",
  log,
});
beforeAll(async () => {
  world = await createIntakeWorld(10);
  world.startIntake();
});
afterAll(async () => {
  redis.disconnect();
  await world.close();
});

let epoch = 1_700_000_000_000;
const bootPayload = (version: OcppVersion, firmwareVersion: string) =>
  version === "1.6"
    ? { chargePointVendor: "Acme", chargePointModel: "X", firmwareVersion }
    : { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "X", firmwareVersion } };

/** The boot is decided, and then read from the lane as well. */
async function boot(
  station: TestStation,
  version: OcppVersion,
  firmware: string,
  { lost = false } = {},
): Promise<DoubleConnection> {
  epoch += 1;
  const cp = connectionOf(station, version, epoch);
  const payload = bootPayload(version, firmware);
  const answer = { status: "Accepted", currentTime: new Date().toISOString(), interval: 60 };
  const frame = cp.call("BootNotification", payload, { answer });
  const { rows } = await world.database.pool.query<{ org_id: string }>("select org_id from stations where id = $1", [
    station.id,
  ]);
  if (!lost)
    await decideBoot(
      {
        identity: station.identity,
        station: { ...station, orgId: (rows[0] as { org_id: string }).org_id, projectId: null },
        version,
        epoch,
        seq: frame.seq,
        receivedAt: new Date(frame.receivedAtMs),
        action: "BootNotification",
        payloadText: JSON.stringify(payload),
      },
      { pool: world.database.pool, redis, heartbeatIntervalSeconds: 60, authCacheSeconds: 60 } as never,
    );
  const lane = await world.openLane();
  await lane.append(frame);
  await world.applied(lane);
  return cp;
}

interface Asked {
  id: string;
  action: string;
  payload: { requestId?: number };
  open: boolean;
  later: boolean;
}
const askedOf = (station: TestStation) =>
  world.rows<Asked>(
    `select id, action, payload, final_at is null as open, not_before > now() as later from commands
     where station_id = $1 and requested_by = 'system:base-report' order by created_at`,
    [station.id],
  );
const stateOf = async (station: TestStation) =>
  (
    await world.rows<{ state: string; asked: number }>(
      "select state, asked from base_report_requests where station_id = $1",
      [station.id],
    )
  )[0];

async function answerLast(station: TestStation, outcome: object): Promise<void> {
  const asked = (await askedOf(station)).at(-1) as Asked;
  // As when it was on its way.
  await world.rows("update commands set state = 'sent', epoch = $2 where id = $1", [asked.id, epoch]);
  await inTransaction(world.database.pool, (sql) =>
    recordCommandOutcome(sql, { commandId: asked.id, at: new Date(), epoch, outcome: outcome as never }, { log }),
  );
}
const accepted = (response: object) => ({
  state: "accepted",
  response: JSON.stringify(response),
  answeredAs: { epoch, seq: 50 },
});

test("a station is asked for its whole device model after its first boot, once, and not at once", async () => {
  const station = await registerStation(world.database.pool, world.project, "2.0.1");
  const cp = await boot(station, "2.0.1", "1.0");
  const [asked, ...others] = await askedOf(station);
  expect(others).toEqual([]);
  expect(asked).toMatchObject({
    action: "GetBaseReport",
    payload: { requestId: expect.any(Number), reportBase: "FullInventory" },
    open: true,
    // The questions of a commissioning come first.
    later: true,
  });
  await answerLast(station, accepted({ status: "Accepted" }));
  expect(await stateOf(station)).toEqual({ state: "answered", asked: 1 });

  // What an earlier firmware had.
  await world.rows(
    `insert into station_variables (station_id, key, component, variable, attribute, value, source, received_at, epoch, seq)
     values ($1, 'old', 'Old', 'Variable', 'Actual', '1', 'NotifyReport', now(), 1, 1)`,
    [station.id],
  );
  const lane = await world.openLane();
  await lane.append(
    cp.call("NotifyReport", {
      requestId: asked?.payload.requestId,
      generatedAt: "2026-05-01T10:00:00Z",
      seqNo: 0,
      reportData: [{ component: { name: "EVSE" }, variable: { name: "Power" }, variableAttribute: [{ value: "11" }] }],
    }),
  );
  await world.applied(lane);
  expect(await stateOf(station)).toEqual({ state: "complete", asked: 1 });
  expect(await world.rows("select component from station_variables where station_id = $1", [station.id])).toEqual([
    { component: "EVSE" },
  ]);

  await boot(station, "2.0.1", "1.0");
  expect(await askedOf(station)).toHaveLength(1);
  await boot(station, "2.0.1", "2.0");
  expect(await askedOf(station)).toHaveLength(2);
});

test("a 1.6 station is asked for its configuration, which is whole with its answer", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  await boot(station, "1.6", "1.0");
  expect(await askedOf(station)).toMatchObject([{ action: "GetConfiguration", payload: {}, open: true }]);
  await answerLast(station, accepted({ configurationKey: [{ key: "A", readonly: true, value: "1" }] }));
  expect(await stateOf(station)).toEqual({ state: "complete", asked: 1 });
  await boot(station, "1.6", "1.0");
  expect(await askedOf(station)).toHaveLength(1);
});

test.each([
  ["has none", { state: "rejected", response: '{"status":"EmptyResultSet"}' }],
  ["does not know the action", { state: "error", error: { code: "NotSupported", description: "" } }],
])("a station that %s is not asked again", async (_what, outcome) => {
  const station = await registerStation(world.database.pool, world.project, "2.1");
  await boot(station, "2.1", "1.0");
  await answerLast(station, outcome);
  expect(await stateOf(station)).toEqual({ state: "refused", asked: 1 });
  await boot(station, "2.1", "1.0");
  expect(await askedOf(station)).toHaveLength(1);
});

test("a station that never answers is asked with five of its boots, and then left alone", async () => {
  const station = await registerStation(world.database.pool, world.project, "2.0.1");
  for (let boots = 0; boots < 8; boots += 1) {
    await boot(station, "2.0.1", "1.0");
    if ((await askedOf(station)).at(-1)?.open === true) await answerLast(station, { state: "timeout" });
  }
  expect(await askedOf(station)).toHaveLength(5);
});

test("a boot whose decision Postgres lost, or that a gateway answered alone, asks from the lane", async () => {
  const station = await registerStation(world.database.pool, world.project, "2.0.1");
  await boot(station, "2.0.1", "1.0", { lost: true });
  expect(await askedOf(station)).toHaveLength(1);
});
