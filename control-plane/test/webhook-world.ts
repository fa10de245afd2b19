import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { pino } from "pino";
import { Registry } from "prom-client";
import { sqlOn } from "../database.ts";
import { newId } from "../ids.ts";
import type { DurableWork } from "../jobs/durable-work.ts";
import { createDeliveryWork } from "../webhooks/deliver-event.ts";
import { createFanOutWork } from "../webhooks/fan-out.ts";
import { createGuardedFetch } from "../webhooks/guarded-fetch.ts";
import { createEndpoint } from "../webhooks/webhook-endpoints.ts";
import { createWebhookMetrics } from "../webhooks/webhook-metrics.ts";
import { freezeClock } from "./frozen-clock.ts";
import { createOwnDatabase } from "./own-database.ts";

/** The same in every process of a test. */
export const TEST_SECRETS_KEY = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));

/**
 * A database of its own in which time stands still, and the webhook works over it.
 * @param timeoutMs how long receivers have for their answers; by default as in production.
 */
export async function startWebhookWorld({ timeoutMs }: { timeoutMs?: number } = {}) {
  const database = await createOwnDatabase();
  await freezeClock(database.url);
  const { pool } = database;
  const wakeUps = { wake: () => {} };
  const guardedFetch = createGuardedFetch({ allowPrivate: true, ports: [443], blockedNetworks: [] });
  const fanOut = createFanOutWork({ pool, wakeUps });
  const delivery = createDeliveryWork({
    pool,
    secretsKey: TEST_SECRETS_KEY,
    guardedFetch,
    wakeUps,
    log: pino({ level: "silent" }),
    metrics: createWebhookMetrics(new Registry()),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });

  return {
    pool,
    sql: sqlOn(pool),
    databaseUrl: database.url,
    fanOut,
    delivery,
    async createOrganization(contactEmail: string | null = "ops@example.org"): Promise<string> {
      const id = newId("org");
      await pool.query("insert into organizations (id, name, contact_email) values ($1, 'ChargeCo', $2)", [
        id,
        contactEmail,
      ]);
      return id;
    },
    async createEndpoint(orgId: string, url: string, events: string[] = ["*"]) {
      const created = await createEndpoint(sqlOn(pool), TEST_SECRETS_KEY, {
        orgId,
        url,
        events,
        description: undefined,
        secret: undefined,
      });
      if (created === undefined) throw new Error("too many endpoints");
      return { id: created.endpoint.id, secret: created.secret };
    },
    /** Lets every claim and pause run out; without it none ever does. */
    async letTimePass(): Promise<void> {
      await pool.query("update webhook_deliveries set next_attempt_at = now() where status = 'pending'");
    },
    async close(): Promise<void> {
      await guardedFetch.close();
      await database.drop();
    },
  };
}

/** Runs what is due until nothing is, as the jobs process does. */
export async function runDue(work: DurableWork): Promise<void> {
  for (let ids = await work.due(100); ids.length > 0; ids = await work.due(100))
    await Promise.all(ids.map((id) => work.run(id)));
}

export type WebhookWorld = Awaited<ReturnType<typeof startWebhookWorld>>;
