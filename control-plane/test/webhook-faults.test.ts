import { createServer } from "node:https";
import { generateKeyPairSync } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EVENTS } from "../webhooks/event-catalog.ts";
import { recordEvent } from "../webhooks/record-event.ts";
import { selfSigned } from "./self-signed.ts";
import { startWebhookReceiver } from "./webhook-receiver.ts";
import { runDue, startWebhookWorld, type WebhookWorld } from "./webhook-world.ts";

let world: WebhookWorld;
beforeAll(async () => {
  world = await startWebhookWorld({ timeoutMs: 400 });
});
afterAll(() => world.close());

/** Makes one delivery to the address. @param before SQL that is run first. @returns what its row says afterwards. */
async function deliverTo(url: string, before?: string) {
  await world.pool.query("truncate webhook_deliveries, webhook_endpoints, events, mails");
  const orgId = await world.createOrganization();
  await world.createEndpoint(orgId, url);
  if (before !== undefined) await world.pool.query(before);
  await recordEvent(world.sql, {
    orgId,
    type: "charge_point.connected",
    data: EVENTS["charge_point.connected"].example,
  });
  await runDue(world.fanOut);
  await runDue(world.delivery);
  const { rows } = await world.pool.query(
    `select d.status, d.attempts, d.last_status_code as code, d.last_error as error, endpoint.status as endpoint,
            extract(epoch from d.next_attempt_at - now())::float as "pauseSeconds"
     from webhook_deliveries d join webhook_endpoints endpoint on endpoint.id = d.endpoint_id`,
  );
  return rows[0] as Record<string, unknown>;
}

/** Ten minutes, and longer than the receiver's time in any case. */
const hang = () => {};
const endlessly = (response: ServerResponse) => {
  response.writeHead(500);
  const more = () => {
    while (!response.destroyed && response.write(Buffer.alloc(65_536))) continue;
    if (!response.destroyed) response.once("drain", more);
  };
  more();
};
const half = (response: ServerResponse) => void response.writeHead(200, { "content-length": "100" }).write("half");

test.each<[string, (response: ServerResponse) => void, Record<string, unknown>]>([
  ["hangs", hang, { error: "no answer within 0.4 s" }],
  ["sends headers and then hangs", half, { error: "no answer within 0.4 s" }],
  ["sends a gigabyte of an error", endlessly, { code: 500, error: "the receiver answered 500" }],
  ["is broken", (response) => void response.writeHead(500).end(), { code: 500 }],
  ["has moved", (response) => void response.writeHead(301, { location: "http://127.0.0.1:1/" }).end(), { code: 301 }],
  ["cuts the connection", (response) => void response.destroy(), { error: "connection closed by the receiver" }],
])("[E11] a receiver that %s is tried again by the schedule, and stays active", async (_, answer, wanted) => {
  const receiver = await startWebhookReceiver(answer);
  const row = await deliverTo(receiver.url);
  await receiver.close();
  expect(row).toMatchObject({ status: "pending", attempts: 1, endpoint: "active", ...wanted });
  expect(row["pauseSeconds"]).toBeGreaterThanOrEqual(5);
  expect(row["pauseSeconds"]).toBeLessThanOrEqual(5.5);
});

test("[E11] a secret that nobody can open any more goes by the schedule too, and ends as failed with the reason", async () => {
  const row = await deliverTo("http://127.0.0.1:1/", "update webhook_endpoints set sealed_secret = 'v1.x.y.z'");
  expect(row).toMatchObject({
    status: "pending",
    attempts: 1,
    code: null,
    error: "its signing secret was sealed with another SECRETS_KEY: give the endpoint a new one",
    pauseSeconds: expect.any(Number),
  });
  for (let attempts = 1; attempts < 100; attempts += 1) {
    await world.letTimePass();
    await runDue(world.delivery);
  }
  const { rows } = await world.pool.query("select status, last_error as error from webhook_deliveries");
  expect(rows).toMatchObject([{ status: "failed", error: row["error"] }]);
});

test("[E11] a receiver whose certificate nobody vouches for gets nothing, and is tried again by the schedule", async () => {
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
  let requests = 0;
  const server = createServer({ key, cert: await selfSigned(key) }, (_, response) => {
    requests += 1;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const row = await deliverTo(`https://localhost:${(server.address() as AddressInfo).port}/hook`);
  await new Promise((resolve) => server.close(resolve));
  expect(requests).toBe(0);
  expect(row).toMatchObject({
    status: "pending",
    attempts: 1,
    endpoint: "active",
    error: expect.stringContaining("the TLS certificate is not valid"),
  });
});
