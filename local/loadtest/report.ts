import type { LedgerVerdict } from "./check-ledger.ts";
import { type Absences, absencesOf } from "./judge-return.ts";
import { lagOf, memoryOf, threeLooks } from "./judge-flatness.ts";
import { judgeSteps, type StepResult } from "./judge-ramp.ts";
import type { K6Metric, K6Result } from "./run-k6.ts";
import type { StoredBytes } from "./stored-bytes.ts";
import type { UpgradeRecord } from "./upgrade-release.ts";
import type { Sample } from "./watch-system.ts";

/** Milliseconds; `count` is how often. */
export interface Durations {
  count: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** What was run, and where. */
export interface RunFacts {
  scenario: string;
  /** As it was typed. */
  command: string;
  startedAt: string;
  machine: string;
  versions: string;
  stations: Record<string, number>;
  gateways: number;
  intakes: number;
  /** Messages a second that were wished for; undefined: as many as such a fleet sends. */
  rate: number | undefined;
  durationSeconds: number;
  /** Where the system was replaced meanwhile: how that went. */
  upgrade?: UpgradeRecord | undefined;
}

export interface Report extends RunFacts {
  /** What is wrong, in words; empty: the run is passed. */
  breaches: string[];
  phases: { name: string; seconds: number; perSecond: number; durations: Durations }[];
  actions: { phase: string; action: string; version: string; durations: Durations }[];
  mostConnections: number;
  reconnects: Durations | undefined;
  refusedHandshakes: number;
  absences: Absences;
  /** `askedAgain`: how often each answer made a client ask again. */
  commands: { durations: Durations; errorRate: number; askedAgain: Record<string, number> } | undefined;
  errorRate: number;
  ledger: LedgerVerdict;
  /** Bytes at the beginning, in the middle, at the end; CPU while the fleet was at its work, behind connecting. */
  processes: {
    name: string;
    cores: number;
    cpuMicrosecondsPerMessage: number;
    /** While the fleet connected, booted and told its first status: for each station. */
    cpuMicrosecondsPerConnect: number;
    memory: [number, number, number] | undefined;
  }[];
  /** Per message that was answered, connecting included: on the wire with all framing, and in Postgres. */
  bytesPerMessage: { sent: number; received: number; database: number; wal: number };
  lagSeconds: { looks: [number, number, number] | undefined; most: number };
  steps: StepResult[];
  /** How late k6's own turns came: when it is large k6 has measured itself. */
  k6DelayMs: Durations | undefined;
  samples: readonly Sample[];
}

/** What connecting has set in motion costs for a while: it is none of the work's. */
const LONGEST_WARMING_MS = 5_000;

/**
 * Puts together what a run has shown.
 * @param further what is wrong beyond k6's limits and the ledger
 * @param stored by how much it has grown
 */
export function makeReport(
  facts: RunFacts,
  { metrics, phases, exitCode, ledgers, trails }: K6Result,
  samples: readonly Sample[],
  ledger: LedgerVerdict,
  further: readonly string[],
  stored: StoredBytes,
): Report {
  const played = phases.flatMap(({ phase, atMs }, at) => {
    const endMs = phases[at + 1]?.atMs;
    const durations = durationsOf(metrics[`ocpp_call_duration{phase:${phase}}`]);
    if (endMs === undefined || durations === undefined) return [];
    const seconds = (endMs - atMs) / 1_000;
    return [{ name: phase, seconds, perSecond: durations.count / seconds, durations }];
  });
  const measured = samples.filter(({ atMs }) => atMs >= (phases[1]?.atMs ?? 0) && atMs <= (phases.at(-1)?.atMs ?? 0));
  const beganMs = phases[1]?.atMs ?? 0;
  const warmMs = Math.min(LONGEST_WARMING_MS, ((phases.at(-1)?.atMs ?? 0) - beganMs) / 10);
  const steady = measured.filter(({ atMs }) => atMs >= beganMs + warmMs);
  const connecting = samples.filter(({ atMs }) => atMs <= (phases[1]?.atMs ?? 0));
  const mostConnections = Math.max(0, ...samples.map(({ connections }) => connections));
  const stations = sumOf(Object.values(facts.stations));
  const messages = sumOf(played.slice(1).map(({ durations }) => durations.count));
  const perSecond = messages / sumOf(played.slice(1).map(({ seconds }) => seconds));
  const perMessage = (bytes = 0) => (ledger.answered === 0 ? 0 : bytes / ledger.answered);
  const commandDurations = durationsOf(metrics["command_roundtrip"]);
  return {
    ...facts,
    breaches: [
      ...missedLimits(metrics, exitCode),
      ...ledger.breaches,
      ...(mostConnections < stations ? [`only ${mostConnections} of ${stations} stations were connected at once`] : []),
      ...further,
    ],
    phases: played,
    actions: actionsOf(metrics),
    mostConnections,
    reconnects: durationsOf(metrics["reconnect_time"]),
    refusedHandshakes: metrics["ocpp_handshakes_refused"]?.values["count"] ?? 0,
    absences: absencesOf(ledgers),
    commands: commandDurations && {
      durations: commandDurations,
      errorRate: metrics["command_errors"]?.values["rate"] ?? 0,
      askedAgain: countsOf(trails.flatMap(({ trail }) => trail.slice(0, -1))),
    },
    errorRate: metrics["ocpp_call_errors"]?.values["rate"] ?? 0,
    ledger,
    processes: processesOf(steady, perSecond, { samples: connecting, stations }),
    bytesPerMessage: {
      sent: perMessage(metrics["data_sent"]?.values["count"]),
      received: perMessage(metrics["data_received"]?.values["count"]),
      database: perMessage(stored.database),
      wal: perMessage(stored.wal),
    },
    lagSeconds: {
      looks: threeLooks(lagOf(measured)),
      most: Math.max(0, ...lagOf(measured).map(({ value }) => value)),
    },
    steps: judgeSteps(phases, metrics, samples),
    k6DelayMs: durationsOf(metrics["k6_turn_delay"]),
    samples,
  };
}

function countsOf(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

function durationsOf(metric: K6Metric | undefined): Durations | undefined {
  const values = metric?.values;
  if (!values?.["count"]) return undefined;
  const at = (name: string) => values[name] ?? 0;
  return { count: at("count"), p50: at("med"), p95: at("p(95)"), p99: at("p(99)"), max: at("max") };
}

function missedLimits(metrics: K6Result["metrics"], exitCode: number): string[] {
  const missed = Object.entries(metrics).flatMap(([name, { thresholds, values }]) =>
    Object.entries(thresholds ?? {})
      .filter(([, { ok }]) => !ok)
      .map(([limit]) => `k6: ${name} misses ${limit}: ${tell(values)}`),
  );
  // 99 says that limits were missed, which are named above.
  return exitCode === 0 || (exitCode === 99 && missed.length > 0) ? missed : [...missed, `k6 ended with ${exitCode}`];
}

const tell = (values: Record<string, number>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");

function actionsOf(metrics: K6Result["metrics"]): Report["actions"] {
  return Object.entries(metrics).flatMap(([name, metric]) => {
    const [, phase, action, version] =
      /^ocpp_call_duration\{phase:([^,]+),action:([^,]+),version:([^,]+)\}$/.exec(name) ?? [];
    const durations = durationsOf(metric);
    return durations && phase !== undefined && action !== undefined && version !== undefined
      ? [{ phase, action, version, durations }]
      : [];
  });
}

function processesOf(
  samples: readonly Sample[],
  messagesPerSecond: number,
  connecting: { samples: readonly Sample[]; stations: number },
): Report["processes"] {
  const names = [...new Set(samples.flatMap(({ usage }) => Object.keys(usage)))];
  return names.map((name) => {
    const cpuSeconds = cpuOf(samples, name);
    const seconds = ((samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0)) / 1_000;
    const cores = seconds === 0 ? 0 : cpuSeconds / seconds;
    return {
      name,
      cores,
      // By the rates: the looks begin later and end earlier than the phases whose messages are counted.
      cpuMicrosecondsPerMessage: messagesPerSecond > 0 ? (cores * 1e6) / messagesPerSecond : 0,
      cpuMicrosecondsPerConnect: (cpuOf(connecting.samples, name) * 1e6) / Math.max(1, connecting.stations),
      memory: threeLooks(memoryOf(samples, name)),
    };
  });
}

/** A process that was started anew begins at 0 again. */
function cpuOf(samples: readonly Sample[], name: string): number {
  let sum = 0;
  let before: number | undefined;
  for (const { usage } of samples) {
    const now = usage[name]?.cpuSeconds;
    if (now === undefined) continue;
    if (before !== undefined) sum += now >= before ? now - before : now;
    before = now;
  }
  return sum;
}
