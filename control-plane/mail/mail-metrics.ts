import { Counter, type Registry } from "prom-client";

export type MailMetrics = ReturnType<typeof createMailMetrics>;

/** Metrics of outgoing mail. */
export function createMailMetrics(registry: Registry) {
  return {
    attempts: new Counter({
      name: "dynamo_mail_attempts_total",
      help: "Attempts to hand a mail to the SMTP server; outcome: sent | retried | given_up",
      labelNames: ["outcome"] as const,
      registers: [registry],
    }),
  };
}
