import { Gauge, Histogram, type Registry } from "prom-client";

export type DecisionsMetrics = ReturnType<typeof createDecisionsMetrics>;

/** The decisions process's metrics; labels are the message kinds of station_decisions.proto. */
export function createDecisionsMetrics(registry: Registry, openQuestions: () => number) {
  const registers = [registry];
  new Gauge({
    name: "decisions_open_questions",
    help: "Questions that are being decided or wait for their turn",
    registers,
    collect() {
      this.set(openQuestions());
    },
  });
  return {
    streams: new Gauge({ name: "decisions_streams", help: "Streams of gateways", registers }),
    batch: new Histogram({
      name: "decisions_batch_questions",
      help: "Questions that were decided together",
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers,
    }),
    duration: new Histogram({
      name: "decisions_duration_seconds",
      help: "From a question's arrival to its answer",
      labelNames: ["question", "outcome"] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  };
}
