import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { createCommandMetrics } from "../commands/command-metrics.ts";

export type IntakeMetrics = ReturnType<typeof createIntakeMetrics>;

/** The intake's metrics. No label names a lane or a station. */
export function createIntakeMetrics(registry: Registry, lagsMs: () => Iterable<number>) {
  const registers = [registry];
  new Gauge({
    name: "intake_lag_seconds",
    help: "Age of the oldest frame that is read and not yet committed, over the lanes of this process; 0 when all is applied",
    registers,
    collect() {
      this.set(Math.max(0, ...lagsMs()) / 1_000);
    },
  });
  return {
    commands: createCommandMetrics(registry),
    lanes: new Gauge({ name: "intake_lanes", help: "Lanes that this process drains", registers }),
    frames: new Counter({ name: "intake_frames_total", help: "Frames applied", registers }),
    batches: new Counter({
      name: "intake_batches_total",
      help: "Batches, by how they ended",
      labelNames: ["outcome"] as const,
      registers,
    }),
    batchDuration: new Histogram({
      name: "intake_batch_duration_seconds",
      help: "From the first statement of a batch to its commit",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    deadLetters: new Counter({
      name: "intake_dead_letters_total",
      help: "Frames set aside because they cannot be applied",
      registers,
    }),
    gaps: new Counter({
      name: "intake_lane_gaps_total",
      help: "Runs of entries that a lane lacks: acknowledged frames that are lost",
      registers,
    }),
    waitingLanes: new Gauge({ name: "intake_waiting_lanes", help: "Lanes that wait for Postgres or Redis", registers }),
  };
}
