// Commissioning on real Postgres, Redis and BullMQ: what start knows at once, what the jobs find out, and that neither the
// restart of a process nor two at once changes the outcome.

import { encodeAttempt } from "@dynamo-csms/proto/connection-attempt";
import { connectionAttempts } from "@dynamo-csms/proto/redis-keys";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { inTransaction } from "../database.ts";
import { newId } from "../ids.ts";
import { accepted, type JobsProcess, rejected, startCommissioningWorld } from "./commissioning-world.ts";

let world: Awaited<ReturnType<typeof startCommissioningWorld>>;
const jobs: JobsProcess[] = [];
beforeAll(async () => {
  world = await startCommissioningWorld();
});
afterEach(async () => {
  for (const one of jobs.splice(0)) await one.stop();
});
afterAll(() => world.close());

async function startJobs(deadlinesMs?: Parameters<typeof world.startJobs>[0]) {
  const process = await world.startJobs(deadlinesMs);
  jobs.push(process);
  return process;
}
const UNTIL = { timeout: 15_000, interval: 50 };
const ALL_PASSED = {
  ocpp_connection: "passed",
  heartbeat: "passed",
  meter_calibration: "passed",
  firmware_version: "passed",
};

test("start answers with what is known: connection, heartbeat and firmware passed, the meter in progress", async () => {
  const station = await world.newStation("2.0.1");
  await station.connect();
  await station.boot("3.4.1");
  await station.heartbeat();
  const started = await world.start(station);
  expect(started).toMatchObject({ ok: true, value: { created: true, commissioning: { status: "in_progress" } } });
  const standing = await world.standing(station);
  expect(standing.checks).toEqual([
    { name: "ocpp_connection", status: "passed" },
    { name: "heartbeat", status: "passed" },
    { name: "meter_calibration", status: "in_progress" },
    { name: "firmware_version", status: "passed", value: "3.4.1" },
  ]);
  expect(station.gateway.sent).toEqual([]);
  expect(await world.eventsOf(standing.id)).toEqual(["commissioning.started"]);
  // Whoever gets the event and the answer reads the same of both.
  expect(await world.eventData(standing.id, "commissioning.started")).toMatchObject({
    status: "in_progress",
    checks: standing.checks,
  });
});

test("a commissioning that its first look completes is told as started and as completed, alike", async () => {
  const station = await world.newStation("2.0.1");
  await station.connect();
  await station.boot("3.4.1");
  await station.heartbeat();
  await world.start(station, { meterCalibration: false });
  const standing = await world.standing(station);
  expect(standing.status).toBe("completed");
  expect(await world.eventsOf(standing.id)).toEqual(["commissioning.completed", "commissioning.started"]);
  const told = await world.eventData(standing.id, "commissioning.started");
  expect(told).toMatchObject({ status: "completed", checks: standing.checks });
  expect(await world.eventData(standing.id, "commissioning.completed")).toEqual(told);
});

test.each(["1.6", "2.0.1"] as const)(
  "OCPP %s: the jobs ask for what is missing and complete it, with one event",
  async (version) => {
    await startJobs();
    const station = await world.newStation(version);
    await station.connect();
    await world.start(station);
    await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("completed");
    const standing = await world.standing(station);
    expect(standing.statuses).toEqual(ALL_PASSED);
    expect(standing.check("firmware_version")?.value).toBe("9.9.9");
    expect(standing.check("meter_calibration")?.value).toBe("10002 Wh");
    expect(standing.completedAt).not.toBeNull();
    expect(await world.eventsOf(standing.id)).toEqual(["commissioning.completed", "commissioning.started"]);
    const told = await world.eventData(standing.id, "commissioning.completed");
    expect(told).toMatchObject({
      charge_point_id: station.chargePointId,
      project_id: world.project.projectId,
      status: "completed",
      completed_at: expect.stringMatching(/Z$/),
    });
    expect(told).not.toHaveProperty("failed_at");
  },
);

test("a station that connects only after the start is found by the jobs", async () => {
  await startJobs();
  const station = await world.newStation("1.6");
  await world.start(station);
  expect((await world.standing(station)).statuses).toMatchObject({
    ocpp_connection: "in_progress",
    heartbeat: "pending",
    firmware_version: "pending",
  });
  await station.connect();
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("completed");
});

test("a second start has the same id, keeps what passed and tries again what failed", async () => {
  await startJobs();
  let meterWorks = false;
  const station = await world.newStation("1.6", async (it, message) => {
    if (message === "MeterValues" && meterWorks) await it.meterValues(500);
    return accepted();
  });
  await station.connect();
  await station.boot("1.0");
  await station.heartbeat();
  await world.start(station, {}, { meter_calibration: 1_000 });
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("failed");
  const failed = await world.standing(station);
  expect(failed.check("meter_calibration")).toMatchObject({
    status: "failed",
    cause: expect.any(String),
    remedy: expect.any(String),
  });
  expect(await world.eventsOf(failed.id)).toEqual(["commissioning.failed", "commissioning.started"]);
  const { started_at, failed_at, ...told } = (await world.eventData(failed.id, "commissioning.failed")) as {
    started_at: string;
    failed_at: string;
  };
  expect(Date.parse(failed_at)).toBeGreaterThanOrEqual(Date.parse(started_at) + 1_000);
  expect(told).not.toHaveProperty("completed_at");

  meterWorks = true;
  const again = await world.start(station);
  expect(again).toMatchObject({
    ok: true,
    value: { created: false, commissioning: { id: failed.id, status: "in_progress" } },
  });
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("completed");
  expect((await world.standing(station)).check("heartbeat")).toEqual(failed.check("heartbeat"));
  expect(await world.eventsOf(failed.id)).toEqual([
    "commissioning.completed",
    "commissioning.failed",
    "commissioning.started",
    "commissioning.started",
  ]);
});

test("two starts at the same moment make one commissioning and one event", async () => {
  const station = await world.newStation("1.6");
  await station.connect();
  const both = await Promise.all([world.start(station), world.start(station)]);
  const values = both.map((one) => (one.ok ? one.value : undefined));
  expect(values.filter((value) => value?.created)).toHaveLength(1);
  expect(new Set(values.map((value) => value?.commissioning.id)).size).toBe(1);
  expect(await world.eventsOf(values[0]!.commissioning.id)).toEqual(["commissioning.started"]);
});

test("two jobs processes at once ask each question once and end it once", async () => {
  await startJobs();
  await startJobs();
  const station = await world.newStation("1.6");
  await station.connect();
  await world.start(station);
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("completed");
  const asked = station.gateway.sent
    .map((command) => (JSON.parse(command.payload as string) as { requestedMessage: string }).requestedMessage)
    .sort();
  expect(asked).toEqual(["BootNotification", "Heartbeat", "MeterValues", "MeterValues"]);
  expect(await world.eventsOf((await world.standing(station)).id)).toEqual([
    "commissioning.completed",
    "commissioning.started",
  ]);
});

test("the jobs process is restarted while a check waits for its answer: the next one finishes the work", async () => {
  const first = await startJobs();
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let meterAsked = 0;
  const station = await world.newStation("1.6", async (it, message) => {
    if (message !== "MeterValues") return accepted();
    meterAsked += 1;
    await held;
    await it.meterValues(700 + meterAsked);
    return accepted();
  });
  await station.connect();
  await station.boot("1.0");
  await station.heartbeat();
  await world.start(station);
  await expect.poll(() => meterAsked, UNTIL).toBe(1);
  await first.stop();
  await startJobs();
  release();
  // The report goes to the process that asked and is no more: the outcome comes through the lane.
  const [asked] = station.gateway.sent;
  const known = { commandId: asked!.commandId, outcome: accepted(), at: new Date() };
  await inTransaction(world.pool, (sql) => recordCommandOutcome(sql, known, { log: pino({ level: "silent" }) }));
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("completed");
  expect((await world.standing(station)).statuses).toEqual(ALL_PASSED);
});

test("Redis forgets every wake-up: the sweep finds the commissioning in Postgres", async () => {
  const station = await world.newStation("1.6");
  await station.connect();
  // Started while no jobs process runs, and its wake-ups deleted.
  await world.start(station);
  for (const key of await world.redis.keys("?test:*:commissioning:*")) await world.redis.del(key);
  await startJobs();
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("completed");
});

test("the gateway dies with a question: the station comes back on another node and the check is repeated", async () => {
  await startJobs({ meter_calibration: 40_000 });
  const station = await world.newStation("1.6", async () => undefined);
  const other = await world.newGateway(async (command) => {
    const message = (JSON.parse(command.payload as string) as { requestedMessage: string }).requestedMessage;
    if (message === "MeterValues") await station.meterValues(900 + other.sent.length);
    if (message === "Heartbeat") await station.heartbeat();
    return accepted();
  });
  await station.connect();
  await station.boot("1.0");
  await station.heartbeat();
  await world.start(station);
  await expect.poll(() => station.gateway.sent.length, UNTIL).toBe(1);
  station.gateway.crash();
  await station.connect(other);
  await expect
    .poll(async () => (await world.standing(station)).status, { timeout: 30_000, interval: 100 })
    .toBe("completed");
  const states = await world.sql.query<{ state: string }>(
    "select state from commands where station_id = $1 order by created_at",
    [station.id],
  );
  expect(states[0]?.state).toBe("unknown");
});

describe("the meter", () => {
  async function meterOf(answer: Parameters<typeof world.newStation>[1], options = {}) {
    await startJobs({ meter_calibration: 8_000 });
    const station = await world.newStation("1.6", answer);
    await station.connect();
    await station.boot("1.0");
    await station.heartbeat();
    await world.start(station, options);
    await expect.poll(async () => (await world.standing(station)).status, UNTIL).not.toBe("in_progress");
    const standing = await world.standing(station);
    return { status: standing.status, ...standing.check("meter_calibration") };
  }

  test("a station that does not know TriggerMessage: skipped with the reason, and completed", async () => {
    const notImplemented = await meterOf(async () => rejected("NotImplemented"));
    expect(notImplemented).toMatchObject({ status: "skipped", cause: expect.stringContaining("TriggerMessage") });
    expect(
      await meterOf(async () => ({ state: "error", error: { code: "NotSupported", description: "" } })),
    ).toMatchObject({ status: "skipped" });
  });
  test("a register that runs backwards fails", async () => {
    let wattHours = 1_000;
    const check = await meterOf(async (it) => {
      await it.meterValues((wattHours -= 10));
      return accepted();
    });
    expect(check).toMatchObject({ status: "failed", cause: expect.stringContaining("backwards") });
  });
  test("meter values without the energy register fail with what to configure", async () => {
    const check = await meterOf(async (it) => {
      await it.meterValues(null);
      return accepted();
    });
    expect(check).toMatchObject({ status: "failed", remedy: expect.stringContaining("MeterValuesSampledData") });
  });
  test("run_meter_calibration false: skipped, and nothing is asked", async () => {
    expect(await meterOf(async () => accepted(), { meterCalibration: false })).toMatchObject({
      status: "skipped",
      cause: expect.stringContaining("run_meter_calibration"),
    });
  });
});

test("run_connectivity_test false: ocpp_connection is skipped, the others are judged by what was ever received", async () => {
  const station = await world.newStation("1.6");
  await station.connect();
  await station.boot("2.0");
  await station.heartbeat();
  await station.gateway.letGo(station.identity);
  const started = await world.start(station, { connectivityTest: false, meterCalibration: false });
  expect(started).toMatchObject({ ok: true, value: { commissioning: { status: "completed" } } });
  expect((await world.standing(station)).statuses).toEqual({
    ocpp_connection: "skipped",
    heartbeat: "passed",
    meter_calibration: "skipped",
    firmware_version: "passed",
  });
});

test("a check that was switched off is run when a later start asks for it", async () => {
  await startJobs();
  const station = await world.newStation("1.6");
  await station.connect();
  await station.boot("2.0");
  await station.heartbeat();
  await world.start(station, { meterCalibration: false });
  expect((await world.standing(station)).status).toBe("completed");
  await world.start(station);
  expect((await world.standing(station)).status).toBe("completed");
  await world.start(station, { meterCalibration: true });
  await expect.poll(async () => (await world.standing(station)).statuses, UNTIL).toEqual(ALL_PASSED);
});

test("a station that never connects fails with what to do, and the others with it", async () => {
  await startJobs();
  const station = await world.newStation("1.6");
  await world.start(station, {}, { ocpp_connection: 500 });
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("failed");
  const standing = await world.standing(station);
  expect(standing.check("ocpp_connection")).toMatchObject({
    cause: expect.stringContaining("never connected"),
    remedy: expect.stringContaining("ocpp_endpoint"),
  });
  expect(standing.check("heartbeat")).toMatchObject({
    status: "failed",
    remedy: expect.stringContaining("ocpp_connection"),
  });
});

test("a station that is refused fails with why, and with what to do about that", async () => {
  await startJobs();
  const station = await world.newStation("1.6");
  await world.redis.lpush(
    connectionAttempts(station.identity),
    encodeAttempt({
      v: 1,
      atMs: Date.now(),
      outcome: "no_subprotocol",
      path: `/ocpp/1.6/${station.identity}`,
      subprotocols: "",
      remoteAddress: "192.0.2.1",
      listener: 2,
      notes: [],
      nodeId: "gateway-0",
    }),
  );
  await world.start(station, {}, { ocpp_connection: 500 });
  await expect.poll(async () => (await world.standing(station)).status, UNTIL).toBe("failed");
  expect((await world.standing(station)).check("ocpp_connection")).toMatchObject({
    cause: expect.stringContaining("names no OCPP version"),
    remedy: expect.stringMatching(/OCPP 1\.6 JSON.*start the commissioning again\.$/),
  });
});

test("what is not the installer's is not found, and a handed-over project is closed", async () => {
  const station = await world.newStation("1.6");
  expect(await world.start(station, { installerId: newId("ins") })).toEqual({ ok: false, error: "not_found" });
  expect(await world.start({ ...station, chargePointId: newId("cp") })).toEqual({ ok: false, error: "not_found" });
  await world.sql.query("update projects set status = 'handed_over' where id = $1", [world.project.projectId]);
  try {
    expect(await world.start(station)).toEqual({ ok: false, error: "handed_over" });
  } finally {
    await world.sql.query("update projects set status = 'in_progress' where id = $1", [world.project.projectId]);
  }
});
