import { pino } from "pino";
import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import type { DurableWork } from "../jobs/durable-work.ts";
import { createMailMetrics } from "../mail/mail-metrics.ts";
import { queueMail } from "../mail/queue-mail.ts";
import { createMailWork } from "../mail/send-mail.ts";
import { openSmtp, type MailTransport } from "../mail/smtp-transport.ts";
import { freezeClock } from "./frozen-clock.ts";
import { type HoldingSmtp, startHoldingSmtp, type Verdict } from "./holding-smtp.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { runDue, TEST_SECRETS_KEY } from "./webhook-world.ts";

let database: OwnDatabase;
const closing: (() => void | Promise<void>)[] = [];
beforeEach(async () => {
  database = await createOwnDatabase();
  await freezeClock(database.url);
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await database.drop();
});

function workThrough(smtp: HoldingSmtp): DurableWork {
  const transport: MailTransport = openSmtp(smtp.url);
  closing.push(() => transport.close());
  closing.push(() => smtp.close());
  return createMailWork({
    pool: database.pool,
    secretsKey: TEST_SECRETS_KEY,
    transport,
    from: { name: "Dynamo CSMS", address: "no-reply@example.org" },
    log: pino({ level: "silent" }),
    metrics: createMailMetrics(new Registry()),
  });
}

const queue = () =>
  queueMail(sqlOn(database.pool), TEST_SECRETS_KEY, {
    template: "account_exists",
    dedupeKey: crypto.randomUUID(),
    recipient: "alex@example.org",
    data: { full_name: "Alex", installer_id: "ins_1" },
  }) as Promise<string>;
const states = async () =>
  (
    await database.pool.query<{ state: string }>(
      "select status || ' ' || attempts as state from mails order by created_at, id",
    )
  ).rows.map(({ state }) => state);
const letPausesEnd = () => database.pool.query("update mails set next_attempt_at = now() where status = 'pending'");

test("[E12] a server that takes a mail and is cut off before it says so gets it again, under the same Message-ID", async () => {
  const smtp = await startHoldingSmtp((verdict, count) => (count === 1 ? verdict.drop() : verdict.accept()));
  const work = workThrough(smtp);
  const id = await queue();
  await runDue(work);
  expect(await states()).toEqual(["pending 1"]);
  await letPausesEnd();
  await runDue(work);
  await letPausesEnd();
  await runDue(work);
  expect(await states()).toEqual(["sent 2"]);
  expect(smtp.messageIds).toEqual(Array(2).fill(`<${id}@example.org>`));
});

test("[E12] a server that greets nobody, or cuts the connection before a mail is there, gets each mail once when it is well", async () => {
  let sick = true;
  const smtp = await startHoldingSmtp(
    (verdict) => verdict.accept(),
    (socket) => (sick ? socket.destroy() : void socket.write("220 ready\r\n")),
  );
  const work = workThrough(smtp);
  const ids = await Promise.all([queue(), queue(), queue()]);
  await runDue(work);
  expect(await states()).toEqual(["pending 1", "pending 1", "pending 1"]);
  expect(smtp.messageIds).toEqual([]);
  sick = false;
  await letPausesEnd();
  await runDue(work);
  expect(await states()).toEqual(["sent 2", "sent 2", "sent 2"]);
  expect([...smtp.messageIds].sort()).toEqual(ids.map((id) => `<${id}@example.org>`).sort());
});

test("[E12] [A18] while a server thinks about a mail nobody else sends it, and its late yes is heard", async () => {
  const thinking: Verdict[] = [];
  const smtp = await startHoldingSmtp((verdict) => void thinking.push(verdict));
  const work = workThrough(smtp);
  const id = await queue();
  const attempt = work.run(id);
  await expect.poll(() => thinking.length, { timeout: 30_000 }).toBe(1);
  // Woken again and again, here and in other processes: the row is claimed.
  await Promise.all(Array.from({ length: 5 }, () => work.run(id)));
  await runDue(work);
  expect(thinking).toHaveLength(1);
  thinking[0]?.accept();
  await attempt;
  expect(await states()).toEqual(["sent 1"]);
  expect(smtp.messageIds).toHaveLength(1);
});
