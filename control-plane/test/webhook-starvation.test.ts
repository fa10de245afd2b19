import { randomUUID } from "node:crypto";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createJobMetrics } from "../jobs/job-metrics.ts";
import { createJobRunner } from "../jobs/job-runner.ts";
import { createWakeUps } from "../jobs/wake-ups.ts";
import { EVENTS } from "../webhooks/event-catalog.ts";
import { recordEvents } from "../webhooks/record-event.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";
import { startWebhookWorld, type WebhookWorld } from "./webhook-world.ts";

const log = pino({ level: "silent" });
let world: WebhookWorld;
let hanging: WebhookReceiver;
let healthy: WebhookReceiver;

beforeAll(async () => {
  // Ten minutes and more: nobody who hangs ever lets go in this test.
  world = await startWebhookWorld({ timeoutMs: 3_600_000 });
  hanging = await startWebhookReceiver(() => {});
  healthy = await startWebhookReceiver();
});
afterAll(async () => {
  await world?.close();
  await hanging?.close();
  await healthy?.close();
});

const happened = (orgId: string, times: number) =>
  recordEvents(
    world.sql,
    Array.from({ length: times }, () => ({
      orgId,
      type: "charge_point.connected" as const,
      data: EVENTS["charge_point.connected"].example,
    })),
  );

/** A jobs process's worth of workers for the two works, on the test run's Redis. */
function startWorkers(): () => Promise<void> {
  const target = parseRedisTarget(process.env["TEST_REDIS_URL"] as string);
  const redis = connectRedis(target, "commands", { connectionName: "test", log });
  const workerRedis = connectRedis(target, "blocking", { connectionName: "test", log });
  const prefix = `{test:${randomUUID()}}`;
  const wakeUps = createWakeUps({ redis, prefix, log });
  const runner = createJobRunner({
    works: [world.fanOut, world.delivery],
    wakeUps,
    redis: workerRedis,
    prefix,
    sweepMs: 200,
    metrics: createJobMetrics(new Registry()),
    log,
  });
  runner.start();
  return async () => {
    await hanging.close();
    await runner.stop();
    await wakeUps.close();
    redis.disconnect();
    workerRedis.disconnect();
  };
}

test("[E11] a thousand events for one endpoint arrive while a hundred others of two organisations hang, all of the time", async () => {
  for (let count = 0; count < 2; count++) {
    const orgId = await world.createOrganization();
    for (let endpoint = 0; endpoint < 50; endpoint++) await world.createEndpoint(orgId, hanging.url);
    await happened(orgId, 10);
  }
  const stop = startWorkers();
  // Whatever the two can take hangs before the third comes.
  await hanging.received(80);
  const orgId = await world.createOrganization();
  await world.createEndpoint(orgId, healthy.url);
  const wanted = await happened(orgId, 1_000);
  await healthy.received(1_000);
  const came = healthy.requests.map(({ headers }) => headers["webhook-id"]);
  expect(new Set(came)).toEqual(new Set(wanted));
  expect(came).toHaveLength(1_000);
  expect(hanging.requests).toHaveLength(80);
  await stop();
}, 240_000);
