import { describe, expect, test } from "vitest";
import {
  advanceChecks,
  type AdvanceInput,
  type CheckState,
  commissioningStatusFrom,
  freshCheck,
  switchedOff,
} from "./advance-checks.ts";
import { CHECK_NAMES, type CheckName, type EnergyReading, type Question, type StationFacts } from "./check-scene.ts";

const T0 = new Date("2026-05-01T10:31:00Z");
const at = (seconds: number) => new Date(T0.getTime() + seconds * 1_000);
const offline: StationFacts = {
  version: "1.6",
  connected: false,
  lastConnection: undefined,
  diagnosis: undefined,
  lastHeartbeatAt: undefined,
  boot: undefined,
  readings: [],
  earlierReadings: [],
};
const online: StationFacts = {
  ...offline,
  connected: true,
  lastConnection: { openedAt: at(-60), closedAt: null, closeCode: null, isCurrent: true },
};
const booted: StationFacts = {
  ...online,
  boot: { firmwareVersion: "3.4.1", bootedAt: at(-59) },
  lastHeartbeatAt: at(-30),
};
const energy = (energyWh: string | null, seconds: number, connector = 1): EnergyReading => ({
  connector,
  energyWh,
  receivedAt: at(seconds),
});

/** All four checks from the start; `later` moves on from what an advance left. */
function scene(facts: StationFacts, more: Partial<AdvanceInput> = {}) {
  let ids = 0;
  const input: AdvanceInput = {
    checks: CHECK_NAMES.map(freshCheck),
    now: T0,
    facts,
    questions: new Map<CheckName, Question>(),
    connectivityTest: true,
    deadlinesMs: {
      ocpp_connection: 300_000,
      heartbeat: 660_000,
      meter_calibration: 120_000,
      firmware_version: 120_000,
    },
    mayAsk: true,
    questionTimeoutMs: 5_000,
    newCommandId: () => `cmd_${(ids += 1)}`,
    ...more,
  };
  const first = advanceChecks(input);
  return {
    input,
    ...first,
    later: (changes: Partial<AdvanceInput>) => advanceChecks({ ...input, checks: first.checks, ...changes }),
  };
}

const statuses = (checks: readonly CheckState[]) =>
  Object.fromEntries(checks.map((check) => [check.name, check.status]));
const find = (checks: readonly CheckState[], name: CheckName) =>
  checks.find((check) => check.name === name) as CheckState;
const answered = (name: CheckName, state: Question["state"], askedSeconds = 0) =>
  new Map<CheckName, Question>([[name, { state, askedAt: at(askedSeconds), endedAt: at(askedSeconds + 1) }]]);

test("a request about a station that booted and sent a heartbeat: all passed but the meter, and nothing is asked", () => {
  const { checks, asks } = scene(booted, { mayAsk: false });
  expect(statuses(checks)).toEqual({
    ocpp_connection: "passed",
    heartbeat: "passed",
    meter_calibration: "in_progress",
    firmware_version: "passed",
  });
  expect(find(checks, "firmware_version").value).toBe("3.4.1");
  expect(asks).toEqual([]);
  expect(find(checks, "meter_calibration").nextAttemptAt).toEqual(T0);
});

test("without a connection the other checks wait, and fail with it at its deadline", () => {
  const { checks, later } = scene(offline);
  expect(statuses(checks)).toEqual({
    ocpp_connection: "in_progress",
    heartbeat: "pending",
    meter_calibration: "pending",
    firmware_version: "pending",
  });
  const end = later({ now: at(300) }).checks;
  expect(new Set(end.map((check) => check.status))).toEqual(new Set(["failed"]));
  expect(end.every((check) => check.cause !== null && check.remedy !== null)).toBe(true);
  expect(commissioningStatusFrom(end)).toBe("failed");
});

test("the deadline of a check starts with the check, not with the commissioning", () => {
  const { later } = scene(offline);
  const connected = later({ now: at(200), facts: online }).checks;
  expect(find(connected, "firmware_version").deadlineAt).toEqual(at(320));
});

test("a passed check stays as it is, whatever becomes of the station", () => {
  const { checks, later } = scene(booted);
  const gone = later({ now: at(10), facts: offline }).checks;
  for (const name of ["ocpp_connection", "heartbeat", "firmware_version"] as const)
    expect(find(gone, name)).toEqual(find(checks, name));
});

describe("heartbeat", () => {
  test("one from before the connection does not count, and is asked for", () => {
    const { checks, asks } = scene({ ...booted, lastHeartbeatAt: at(-61) });
    expect(find(checks, "heartbeat").status).toBe("in_progress");
    expect(asks).toContainEqual({
      name: "heartbeat",
      commandId: "cmd_1",
      action: "TriggerMessage",
      payload: { requestedMessage: "Heartbeat" },
    });
  });
  test("while the intake has not filed the connection, nothing is asked", () => {
    const facts = { ...booted, lastConnection: { ...booted.lastConnection!, isCurrent: false } };
    expect(scene(facts).asks.map((ask) => ask.name)).toEqual(["meter_calibration"]);
  });
  test("a station without TriggerMessage has its interval, then it fails with a remedy", () => {
    const { later } = scene({ ...booted, lastHeartbeatAt: undefined });
    const questions = answered("heartbeat", "unsupported");
    const facts = { ...booted, lastHeartbeatAt: undefined };
    expect(find(later({ now: at(600), facts, questions }).checks, "heartbeat").status).toBe("in_progress");
    expect(
      find(later({ now: at(600), facts: { ...booted, lastHeartbeatAt: at(590) }, questions }).checks, "heartbeat")
        .status,
    ).toBe("passed");
    expect(find(later({ now: at(660), facts, questions }).checks, "heartbeat")).toMatchObject({
      status: "failed",
      cause: expect.stringContaining("No Heartbeat"),
    });
  });
  test("a lost question is asked again, but not at once", () => {
    const facts = { ...booted, lastHeartbeatAt: undefined };
    const { later } = scene(facts);
    const questions = new Map([...answered("heartbeat", "lost"), ...answered("meter_calibration", "open")]);
    expect(later({ now: at(3), facts, questions }).asks).toEqual([]);
    expect(later({ now: at(11), facts, questions }).asks.map((ask) => ask.name)).toEqual(["heartbeat"]);
  });
  test("with the connectivity test off, any Heartbeat ever received counts", () => {
    const checks = [switchedOff("ocpp_connection", "run_connectivity_test", T0), freshCheck("heartbeat")];
    const facts = { ...offline, lastHeartbeatAt: at(-86_400) };
    expect(statuses(scene(facts, { checks, connectivityTest: false }).checks)).toEqual({
      ocpp_connection: "skipped",
      heartbeat: "passed",
    });
  });
});

describe("firmware_version", () => {
  test("is asked for where no boot is on record, and fails with a remedy when none comes", () => {
    const { asks, later } = scene(online);
    expect(asks.map((ask) => ask.payload["requestedMessage"])).toContain("BootNotification");
    const end = later({ now: at(121), questions: answered("firmware_version", "rejected") }).checks;
    expect(find(end, "firmware_version")).toMatchObject({
      status: "failed",
      remedy: expect.stringContaining("Restart"),
    });
  });
  test("is skipped when the station boots without saying it", () => {
    const facts = { ...booted, boot: { firmwareVersion: null, bootedAt: at(2) } };
    const { later } = scene({ ...booted, boot: { firmwareVersion: " ", bootedAt: at(-59) } });
    expect(
      find(later({ now: at(3), facts, questions: answered("firmware_version", "accepted") }).checks, "firmware_version")
        .status,
    ).toBe("skipped");
  });
});

describe("meter_calibration", () => {
  const after = (seconds: number, changes: Partial<StationFacts>, question?: Question["state"], asked = 1) => {
    const { checks, input } = scene(booted);
    const meter = { ...find(checks, "meter_calibration"), asked };
    const result = advanceChecks({
      ...input,
      checks: [meter],
      now: at(seconds),
      facts: { ...booted, ...changes },
      questions: question ? answered("meter_calibration", question) : new Map(),
    });
    return { check: find(result.checks, "meter_calibration"), asks: result.asks };
  };

  test("1.6 is asked for a connector, 2.x for an EVSE", () => {
    expect(scene(booted).asks).toMatchObject([{ payload: { requestedMessage: "MeterValues", connectorId: 1 } }]);
    expect(scene({ ...booted, version: "2.0.1" }).asks).toMatchObject([
      { payload: { requestedMessage: "MeterValues", evse: { id: 1 } } },
    ]);
  });
  test("passes with its reading where an earlier one is on record", () => {
    expect(
      after(1, { readings: [energy("1500", 1)], earlierReadings: [energy("1400", -600)] }, "accepted").check,
    ).toMatchObject({ status: "passed", value: "1500 Wh" });
  });
  test("asks twice where there is nothing to compare with", () => {
    expect(after(2, { readings: [energy("1500", 1)] }, "accepted").asks).toHaveLength(1);
    expect(after(4, { readings: [energy("1500", 1), energy("1500", 3)] }, "accepted", 2).check.status).toBe("passed");
  });
  test("a second reading that does not come does not fail the first", () => {
    expect(after(20, { readings: [energy("1500", 1)] }, "rejected", 2).check.status).toBe("passed");
  });
  test("fails when the register runs backwards, on the same connector only", () => {
    expect(after(4, { readings: [energy("1500", 1), energy("1499.9", 3)] }, "accepted", 2).check).toMatchObject({
      status: "failed",
      cause: expect.stringContaining("backwards"),
    });
    expect(
      after(1, { readings: [energy("1500", 1)], earlierReadings: [energy("2000", -600)] }, "accepted").check.status,
    ).toBe("failed");
    expect(
      after(1, { readings: [energy("1500", 1)], earlierReadings: [energy("2000", -600, 2)] }, "accepted").check.status,
    ).toBe("in_progress");
  });
  test.each(["-1", "900000000000"])("fails at a reading of %s Wh", (wattHours) => {
    expect(after(1, { readings: [energy(wattHours, 1)] }, "accepted").check).toMatchObject({
      status: "failed",
      cause: expect.stringContaining(wattHours),
    });
  });
  test("fails when the messages hold no energy register, once what was asked for had time to come", () => {
    expect(after(2, { readings: [energy(null, 1)] }, "accepted").check.status).toBe("in_progress");
    expect(after(8, { readings: [energy(null, 1)] }, "accepted").check).toMatchObject({
      status: "failed",
      cause: expect.stringContaining("Energy.Active.Import.Register"),
    });
  });
  test("is skipped with the reason when the station cannot be asked", () => {
    expect(after(2, {}, "unsupported").check).toMatchObject({
      status: "skipped",
      cause: expect.stringContaining("not supported"),
    });
  });
  test("fails at its deadline when nothing comes, and says when the connection was lost", () => {
    expect(after(121, {}, "accepted", 3).check).toMatchObject({
      status: "failed",
      cause: expect.stringContaining("No meter values"),
    });
    expect(after(121, { connected: false }, "lost").check).toMatchObject({
      status: "failed",
      cause: expect.stringContaining("connection was lost"),
    });
  });
});
