import type { LoadtestOptions } from "./options.ts";

interface Scenario extends Pick<
  LoadtestOptions,
  "stations" | "mix" | "durationSeconds" | "rate" | "commandsPerSecond" | "steps"
> {
  what: string;
}

const STEPS = [500, 1_000, 1_500, 2_000, 2_500, 3_000];
const ALL_VERSIONS = { "1.6": 60, "2.0.1": 30, "2.1": 10 };
const ONE_VERSION = { "1.6": 100 };

const base = {
  mix: ONE_VERSION,
  stations: 2_000,
  durationSeconds: 60,
  rate: { perSecond: 500 },
  commandsPerSecond: 20,
  steps: STEPS,
} satisfies Omit<Scenario, "what">;

/** What can be played, with its defaults: sizes for two cores on which everything runs, k6 included. */
export const SCENARIOS = {
  smoke: {
    ...base,
    what: "everything once, quickly: for every change",
    mix: ALL_VERSIONS,
    stations: 200,
    durationSeconds: 30,
    rate: { perSecond: 150 },
    commandsPerSecond: 5,
  },
  steady: { ...base, what: "one rate, stations of one version" },
  mixed: { ...base, what: "one rate, stations of all versions", mix: ALL_VERSIONS },
  ramp: { ...base, what: "ever faster, to see where it breaks" },
  storm: { ...base, what: "every connection is dropped at once", durationSeconds: 120, rate: { perSecond: 200 } },
  commands: { ...base, what: "commands over REST while the fleet works", mix: ALL_VERSIONS },
  "rolling-restart": {
    ...base,
    what: "the gateways are restarted, one after the other",
    durationSeconds: 120,
    rate: { perSecond: 200 },
  },
  "rolling-upgrade": {
    ...base,
    what: "the whole system is replaced by another release as the Helm chart does it",
    mix: ALL_VERSIONS,
    stations: 1_000,
    durationSeconds: 300,
    rate: { perSecond: 100 },
    commandsPerSecond: 2,
  },
  soak: {
    ...base,
    what: "one rate for long: memory and lag have to stay flat",
    durationSeconds: 600,
    rate: { percent: 80 } as NonNullable<LoadtestOptions["rate"]>,
  },
} satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;
