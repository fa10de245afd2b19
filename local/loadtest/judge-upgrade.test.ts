import { expect, test } from "vitest";
import { judgeUpgrade } from "./judge-upgrade.ts";
import type { StationAbsence, StationLedger } from "./k6-lines.ts";
import type { UpgradeStep } from "./upgrade-release.ts";

const step = (component: string, atSeconds: number, more: Partial<UpgradeStep> = {}): UpgradeStep => ({
  what: `${component}-7`,
  component,
  atSeconds,
  waitedSeconds: 1,
  readySeconds: 2,
  provedSeconds: 0,
  drainedSeconds: 1,
  graceSeconds: 30,
  exitCode: 0,
  ...more,
});
const STEPS = [
  step("migrate", 0, { drainedSeconds: undefined, graceSeconds: undefined, exitCode: undefined }),
  step("intake", 3),
  step("decisions", 6),
  step("jobs", 7),
  step("api", 10),
  step("gateway", 15),
  step("intake", 16), // the second one: only the first of each counts
];
const GOOD = { steps: STEPS, redLivez: [], leftOfFormer: [] };
const ledger = (absence: Partial<StationAbsence>): StationLedger => ({
  ...{ station: "cp_1", away: false, numbered: 0, unanswered: [], resent: 0, answered: {}, started: 0, ended: 0 },
  ...{ heartbeatAtMs: 0, readings: 0, absence: { times: 1, refused: 0, longestMs: 900, mostOverMs: 20, ...absence } },
});
const FLEET = {
  ledgers: [ledger({})],
  trails: [{ trail: ["not_connected (away)", "accepted"], seconds: 1.1 }],
  commands: ["cmd_1"],
};

test("an upgrade that nobody noticed is passed, whatever a client had to ask twice", () => {
  expect(judgeUpgrade(GOOD, FLEET)).toEqual([]);
});

test("the order is that of the first process of each kind", () => {
  const steps = STEPS.map((one) => (one.component === "api" ? { ...one, atSeconds: 6.5 } : one));
  expect(judgeUpgrade({ ...GOOD, steps }, FLEET)).toEqual(["api of the new release did not begin after jobs"]);
  expect(judgeUpgrade({ ...GOOD, steps: STEPS.filter(({ component }) => component !== "gateway") }, FLEET)).toEqual([
    "gateway of the new release did not begin after api",
  ]);
});

test("a process that was killed or ended with an error, a red probe and what is left of the former release are told", () => {
  const steps = [...STEPS, step("gateway", 20, { exitCode: null }), step("jobs", 21, { exitCode: 1 })];
  expect(
    judgeUpgrade({ steps, redLivez: ["api-3: /livez 503"], leftOfFormer: ["nodes list still shows x"] }, FLEET),
  ).toEqual([
    "the one before gateway-7 was not done within its 30 s and was killed",
    "the one before jobs-7 ended with 1",
    "api-3: /livez 503",
    "nodes list still shows x",
  ]);
});

test("a station may be away as long as its own back-off, and not much longer", () => {
  const back = { ...FLEET, ledgers: [ledger({ longestMs: 30_000, mostOverMs: 999 })] };
  expect(judgeUpgrade(GOOD, back)).toEqual([]);
  const late = { ...FLEET, ledgers: [ledger({}), ledger({ longestMs: 3_000, mostOverMs: 2_400 })] };
  expect(judgeUpgrade(GOOD, late)).toEqual([
    "1 stations were without a connection for more than their back-off and 1000 ms: cp_1 by 2400 ms",
  ]);
});

test("a command that was not accepted in the end has failed, and a run without commands shows nothing", () => {
  const trails = [{ trail: ["no answer (reset)", "409 idempotency_unknown"], seconds: 2 }];
  expect(judgeUpgrade(GOOD, { ...FLEET, trails })).toEqual([
    "a command failed after 2.0 s: no answer (reset), 409 idempotency_unknown",
  ]);
  expect(judgeUpgrade(GOOD, { ...FLEET, trails: Array(5).fill(trails[0]) })).toHaveLength(4);
  expect(judgeUpgrade(GOOD, { ...FLEET, commands: [] })).toEqual([
    "no command was accepted: nothing is known of commands",
  ]);
});
