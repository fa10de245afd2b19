import { Counter, type Registry } from "prom-client";

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
  };
}
