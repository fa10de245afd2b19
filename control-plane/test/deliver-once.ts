// A process that makes one attempt of a delivery: DATABASE_URL, then the delivery's id as argument. Killed by its test.
import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { pino } from "pino";
import { Registry } from "prom-client";
import { openPool } from "../database.ts";
import { createDeliveryWork } from "../webhooks/deliver-event.ts";
import { createGuardedFetch } from "../webhooks/guarded-fetch.ts";
import { createWebhookMetrics } from "../webhooks/webhook-metrics.ts";

const work = createDeliveryWork({
  pool: openPool(process.env["DATABASE_URL"] as string, 2, "deliver-once"),
  secretsKey: parseSecretsKey(process.env["SECRETS_KEY"] as string),
  guardedFetch: createGuardedFetch({ allowPrivate: true, ports: [443], blockedNetworks: [] }),
  wakeUps: { wake: () => {} },
  log: pino({ level: "silent" }),
  metrics: createWebhookMetrics(new Registry()),
});
await work.run(process.argv[2] as string);
