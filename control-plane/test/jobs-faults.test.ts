// Real jobs processes that are killed and stopped at the worst moments, over servers of their own.

import { BULL_PREFIX } from "@dynamo-csms/proto/redis-keys";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { QueueEvents } from "bullmq";
import { Redis } from "ioredis";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newId } from "../ids.ts";
import { MAIL_WORK, queueMail } from "../mail/queue-mail.ts";
import { sqlOn } from "../database.ts";
import { DELIVERY_WORK } from "../webhooks/claim-delivery.ts";
import { EVENTS } from "../webhooks/event-catalog.ts";
import { recordEvent } from "../webhooks/record-event.ts";
import { createEndpoint } from "../webhooks/webhook-endpoints.ts";
import { type HoldingSmtp, startHoldingSmtp, type Verdict } from "./holding-smtp.ts";
import { type JobsProcess, startJobsProcess } from "./jobs-process.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";
import { TEST_SECRETS_KEY } from "./webhook-world.ts";

const UNTIL = { timeout: 150_000, interval: 100 };
/** A job of a process that died or stands still is its own for half a minute more, and is looked for every half minute. */
const TEST_MS = 300_000;

let database: OwnDatabase;
let redis: TestServer;
let smtp: HoldingSmtp;
let receiver: WebhookReceiver;
const processes: JobsProcess[] = [];
/** What waits for its answer, in the order in which it came. */
const mails: Verdict[] = [];
const webhooks: (() => void)[] = [];

beforeEach(async () => {
  [database, redis] = await Promise.all([createOwnDatabase(), startTestRedis()]);
  smtp = await startHoldingSmtp((verdict) => void mails.push(verdict));
  receiver = await startWebhookReceiver((response) => void webhooks.push(() => void response.writeHead(204).end()));
});
afterEach(async () => {
  for (const one of processes.splice(0)) one.signal("SIGKILL");
  mails.length = webhooks.length = 0;
  await Promise.all([smtp.close(), receiver.close(), redis.remove()]);
  await database.drop();
});

async function start(diesAt?: string): Promise<JobsProcess> {
  const servers = {
    databaseUrl: database.url,
    redisUrl: redis.url,
    smtpUrl: smtp.url,
    secretsKey: TEST_SECRETS_KEY.toString("base64"),
  };
  const one = await startJobsProcess(servers, diesAt);
  processes.push(one);
  return one;
}

/** An event for one endpoint. @returns its id, the `webhook-id` of whatever is sent of it. */
async function event(): Promise<string> {
  const sql = sqlOn(database.pool);
  const orgId = newId("org");
  await sql.query("insert into organizations (id, name) values ($1, 'ChargeCo')", [orgId]);
  const endpoint = { orgId, url: receiver.url, events: ["*"], description: undefined, secret: undefined };
  await createEndpoint(sql, TEST_SECRETS_KEY, endpoint);
  return recordEvent(sql, {
    orgId,
    type: "charge_point.connected",
    data: EVENTS["charge_point.connected"].example,
  });
}

const mail = () =>
  queueMail(sqlOn(database.pool), TEST_SECRETS_KEY, {
    template: "account_exists",
    dedupeKey: newId("mail"),
    recipient: "alex@example.org",
    data: { full_name: "Alex", installer_id: "ins_1" },
  });

async function stateOf(table: "mails" | "webhook_deliveries"): Promise<string | undefined> {
  const { rows } = await database.pool.query<{ status: string; attempts: number }>(
    `select status, attempts from ${table}`,
  );
  return rows.map(({ status, attempts }) => `${status} ${attempts}`).join();
}

/** A claim ends by the clock: this is what its minutes come to. */
const letClaimsEnd = (table: string) =>
  database.pool.query(`update ${table} set next_attempt_at = now() where status = 'pending'`);

test(
  "[E12] a jobs process that dies between a receiver's answer and its mark: the next sends it again under the same webhook-id",
  async () => {
    const eventId = await event();
    const dying = await start("update webhook_deliveries set status");
    await receiver.received(1);
    webhooks.shift()?.();
    expect(await dying.ended).toBe("SIGKILL");
    expect(await stateOf("webhook_deliveries")).toBe("pending 1");

    await start();
    await letClaimsEnd("webhook_deliveries");
    await receiver.received(2);
    webhooks.shift()?.();
    await expect.poll(() => stateOf("webhook_deliveries"), UNTIL).toBe("delivered 2");
    expect(receiver.requests.map(({ headers }) => headers["webhook-id"])).toEqual([eventId, eventId]);
    expect(receiver.request(1).body).toBe(receiver.request(0).body);
  },
  TEST_MS,
);

test(
  "[E12] a jobs process that dies between the mail server's 250 and its mark: the double has the same Message-ID",
  async () => {
    const id = await mail();
    const dying = await start("update mails set status = 'sent'");
    await expect.poll(() => mails.length, UNTIL).toBe(1);
    mails.shift()?.accept();
    expect(await dying.ended).toBe("SIGKILL");
    expect(await stateOf("mails")).toBe("pending 1");

    await start();
    await letClaimsEnd("mails");
    await expect.poll(() => mails.length, UNTIL).toBe(1);
    mails.shift()?.accept();
    await expect.poll(() => stateOf("mails"), UNTIL).toBe("sent 2");
    expect(smtp.messageIds).toEqual(Array(2).fill(`<${id}@example.org>`));
  },
  TEST_MS,
);

test(
  "[E12] [A18] a jobs process that stands still for longer than its jobs are its own: one mail, and one webhook-id, whoever sends it",
  async () => {
    const [eventId, mailId] = [await event(), await mail()];
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const stalled = new Set<string>();
    const watches = [MAIL_WORK, DELIVERY_WORK].map((queue) => {
      const watch = new QueueEvents(queue, { connection: connection.duplicate(), prefix: BULL_PREFIX });
      watch.on("stalled", () => stalled.add(queue));
      return watch;
    });
    await Promise.all(watches.map((watch) => watch.waitUntilReady()));

    const still = await start();
    await receiver.received(1);
    await expect.poll(() => mails.length, UNTIL).toBe(1);
    still.signal("SIGSTOP");
    // Both say yes to a process that cannot hear it.
    mails.shift()?.accept();
    webhooks.shift()?.();
    const other = await start();
    // Its minute is over, its job was handed on, and another sends it. Answered at once, because a receiver has 15 s.
    await receiver.received(2);
    webhooks.shift()?.();
    await expect.poll(() => stateOf("webhook_deliveries"), UNTIL).toBe("delivered 2");
    await expect.poll(() => [...stalled].sort(), UNTIL).toEqual([MAIL_WORK, DELIVERY_WORK].sort());
    still.signal("SIGCONT");

    await expect.poll(() => stateOf("mails"), UNTIL).toBe("sent 1");
    expect(smtp.messageIds).toEqual([`<${mailId}@example.org>`]);
    // Until both are at rest: whoever came late has said so by then.
    for (const one of [still, other]) one.signal("SIGTERM");
    expect(await Promise.all([still.ended, other.ended])).toEqual([null, null]);
    expect([await stateOf("mails"), await stateOf("webhook_deliveries")]).toEqual(["sent 1", "delivered 2"]);
    expect(smtp.messageIds).toHaveLength(1);
    expect(receiver.requests.map(({ headers }) => headers["webhook-id"])).toEqual([eventId, eventId]);
    await Promise.all(watches.map((watch) => watch.close()));
    connection.disconnect();
  },
  TEST_MS,
);
