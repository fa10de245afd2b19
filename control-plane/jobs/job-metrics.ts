import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export type JobMetrics = ReturnType<typeof createJobMetrics>;

/** Metrics of the jobs process. Labels are names of works and sweeps, as main.ts lists them. */
export function createJobMetrics(registry: Registry) {
  const registers = [registry];
  return {
    runs: new Counter({
      name: "dynamo_work_runs_total",
      help: "Runs of durable work; outcome: done | failed",
      labelNames: ["work", "outcome"] as const,
      registers,
    }),
    runSeconds: new Histogram({
      name: "dynamo_work_run_seconds",
      help: "Time of one run",
      labelNames: ["work"] as const,
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 30],
      registers,
    }),
    due: new Gauge({
      name: "dynamo_work_due",
      help: "Rows found due by the last sweep, at most 200",
      labelNames: ["work"] as const,
      registers,
    }),
    sweeps: new Counter({
      name: "dynamo_sweeps_total",
      help: "Periodic sweeps; outcome: done | elsewhere | failed",
      labelNames: ["sweep", "outcome"] as const,
      registers,
    }),
  };
}
