import type { K6Metric } from "./run-k6.ts";
import type { PhaseStart } from "./k6-lines.ts";
import type { Sample } from "./watch-system.ts";

export interface StepResult {
  /** Messages a second that were wished for, and those that were answered. */
  rate: number;
  achieved: number;
  /** Undefined: k6 has no figure. */
  p95Ms: number | undefined;
  p99Ms: number | undefined;
  /** Largest age of what was not applied yet, in the second half of the step; undefined: the intake was not heard. */
  lagSeconds: number | undefined;
  /** Empty: the system carries this rate. What is not known is wrong. */
  wrong: string[];
}

/** The fleet's rate is random around the wish. */
const LEAST_ACHIEVED = 0.95;
const MOST_P95_MS = 500;
const MOST_LAG_SECONDS = 2;

/** The steps of a ramp, as far as they were played. */
export function judgeSteps(
  phases: readonly PhaseStart[],
  metrics: Readonly<Record<string, K6Metric>>,
  samples: readonly Sample[],
): StepResult[] {
  return phases.flatMap(({ phase, atMs }, at) => {
    const rate = Number(/^([\d.]+)\/s$/.exec(phase)?.[1]);
    const endMs = phases[at + 1]?.atMs;
    const values = metrics[`ocpp_call_duration{phase:${phase}}`]?.values;
    if (!(rate > 0) || endMs === undefined || values === undefined) return [];
    const achieved = (values["count"] ?? 0) / ((endMs - atMs) / 1_000);
    const secondHalf = samples.filter((sample) => sample.atMs >= (atMs + endMs) / 2 && sample.atMs <= endMs);
    const lags = secondHalf.map((sample) => sample.lagSeconds).filter((lag) => lag !== undefined);
    const lagSeconds = lags.length === 0 ? undefined : Math.max(...lags);
    const p95Ms = values["p(95)"];
    const wrong = [
      ...(achieved < LEAST_ACHIEVED * rate ? [`only ${achieved.toFixed(0)} a second`] : []),
      ...(p95Ms === undefined ? ["no times of answers are known"] : []),
      ...(p95Ms !== undefined && p95Ms > MOST_P95_MS ? [`p95 is ${p95Ms.toFixed(0)} ms`] : []),
      // Half of the looks at least: an intake that does not tell is most likely one that is far behind.
      ...(lagSeconds === undefined || lags.length < secondHalf.length / 2 ? ["the intake did not tell its lag"] : []),
      ...(lagSeconds !== undefined && lagSeconds > MOST_LAG_SECONDS
        ? [`the intake is ${lagSeconds.toFixed(1)} s behind`]
        : []),
    ];
    return [{ rate, achieved, p95Ms, p99Ms: values["p(99)"], lagSeconds, wrong }];
  });
}

/** The highest rate that was carried, all lower ones too; undefined: not even the first. */
export function highestRate(steps: readonly StepResult[]): number | undefined {
  const broken = steps.findIndex(({ wrong }) => wrong.length > 0);
  return steps[(broken === -1 ? steps.length : broken) - 1]?.rate;
}
