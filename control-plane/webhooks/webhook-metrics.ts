import { Counter, Histogram, type Registry } from "prom-client";

export type WebhookMetrics = ReturnType<typeof createWebhookMetrics>;

/** Metrics of webhook deliveries. */
export function createWebhookMetrics(registry: Registry) {
  return {
    attempts: new Counter({
      name: "dynamo_webhook_attempts_total",
      help: "Attempts to deliver an event; outcome: delivered | bad_status | redirect | gone | refused | failed | timed-out",
      labelNames: ["outcome"] as const,
      registers: [registry],
    }),
    seconds: new Histogram({
      name: "dynamo_webhook_attempt_seconds",
      help: "Time of an attempt to deliver an event",
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers: [registry],
    }),
  };
}
