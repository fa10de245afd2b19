import type { Options, Scenario } from "k6/options";
import { limitSeconds } from "./play-fleet.ts";
import type { Phase } from "./phases.ts";
import type { Settings, Version } from "./settings.ts";

type Thresholds = NonNullable<Options["thresholds"]>;

/** What the gateway answers by itself, and what it has decided by the control plane: a commit of Postgres is in it. */
const ACTIONS: Record<Version, { edge: string[]; decided: string[] }> = {
  "1.6": {
    edge: ["Heartbeat", "MeterValues", "StatusNotification"],
    decided: ["Authorize", "BootNotification", "StartTransaction", "StopTransaction"],
  },
  "2.0.1": {
    edge: ["Heartbeat", "StatusNotification"],
    decided: ["Authorize", "BootNotification", "TransactionEvent"],
  },
  "2.1": { edge: ["Heartbeat", "StatusNotification"], decided: ["Authorize", "BootNotification", "TransactionEvent"] },
};

/** Milliseconds; for a machine that runs everything, k6 included. On one with cores to spare a tenth of it is due. */
const LIMITS_MS = {
  edge: { p95: 250, p99: 1_000 },
  decided: { p95: 500, p99: 2_000 },
} as const;

const within = ({ p95, p99 }: { p95: number; p99: number }, slack: number): string[] => [
  `p(95)<${p95 * slack}`,
  `p(99)<${p99 * slack}`,
];

/** Makes k6 keep the figures of a tag, without a limit on them. */
const KEPT = ["max>=0"];

export interface Wishes {
  /** In which phases answers have to come in time; the figures of the others are kept. */
  timely?: readonly string[];
  /** So many times as long may answers take: on a machine that others keep busy, where only what is broken is to be found. */
  slack?: number;
  thresholds?: Thresholds;
  scenarios?: Record<string, Scenario>;
}

/** k6's options for a fleet that goes through these phases. */
export function optionsFor(settings: Settings, phases: readonly Phase[], wishes: Wishes = {}): Options {
  const { timely = ["load"], slack = 1, thresholds, scenarios } = wishes;
  return {
    scenarios: {
      fleet: {
        executor: "per-vu-iterations",
        exec: "fleet",
        vus: settings.virtualUsers,
        iterations: 1,
        maxDuration: `${Math.ceil(limitSeconds(phases))}s`,
        gracefulStop: "60s",
      },
      ...scenarios,
    },
    thresholds: {
      ...durations(settings, phases, timely, slack),
      ocpp_call_errors: ["rate<0.001"],
      ocpp_schema_violations: ["count==0"],
      ...thresholds,
    },
    summaryTrendStats: ["count", "avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"],
    // One series per URL and per VU would be thousands.
    systemTags: ["scenario", "status", "check", "name"],
    discardResponseBodies: false,
  };
}

function durations(
  { fleet }: Settings,
  phases: readonly Phase[],
  timely: readonly string[],
  slack: number,
): Thresholds {
  const all: Thresholds = {};
  for (const { name } of phases) {
    all[`ocpp_call_duration{phase:${name}}`] = KEPT;
    if (name === "connect") continue;
    for (const version of ["1.6", "2.0.1", "2.1"] as const) {
      if (fleet[version] === 0) continue;
      for (const kind of ["edge", "decided"] as const)
        for (const action of ACTIONS[version][kind])
          all[`ocpp_call_duration{phase:${name},action:${action},version:${version}}`] = timely.includes(name)
            ? within(LIMITS_MS[kind], slack)
            : KEPT;
    }
  }
  for (const version of ["1.6", "2.0.1", "2.1"] as const)
    if (fleet[version] > 0) all[`ocpp_call_duration{phase:connect,action:BootNotification,version:${version}}`] = KEPT;
  return all;
}

/** Commands over REST at the wished rate, from when the fleet is connected to the end of its work. */
export function commandScenario({ commandsPerSecond, durationSeconds }: Settings, phases: readonly Phase[]): Scenario {
  return {
    executor: "constant-arrival-rate",
    exec: "command",
    startTime: `${phases[0]?.seconds ?? 0}s`,
    // The last answers are to come while the stations are still there.
    duration: `${Math.max(1, durationSeconds - 2)}s`,
    rate: commandsPerSecond,
    timeUnit: "1s",
    preAllocatedVUs: Math.max(10, Math.ceil(commandsPerSecond / 2)),
    maxVUs: Math.max(20, 2 * commandsPerSecond),
    gracefulStop: "30s",
  };
}

/** What is asked of commands. @param slack as of answers */
export function commandsInTime(slack = 1): Thresholds {
  return {
    command_roundtrip: within({ p95: 500, p99: 2_000 }, slack),
    command_errors: [slack === 1 ? "rate<0.01" : "rate<0.05"],
    dropped_iterations: [slack === 1 ? "count==0" : "count<10"],
  };
}
