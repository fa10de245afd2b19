import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import type { DurableWork } from "../jobs/durable-work.ts";
import { createMailMetrics } from "../mail/mail-metrics.ts";
import { queueMail, type QueuedMail } from "../mail/queue-mail.ts";
import { createMailWork } from "../mail/send-mail.ts";
import { openSmtp, type MailTransport } from "../mail/smtp-transport.ts";
import { freezeClock } from "./frozen-clock.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { startSmtpSink, type SmtpSink } from "./smtp-sink.ts";
import { runDue, TEST_SECRETS_KEY } from "./webhook-world.ts";

let database: OwnDatabase;
let sink: SmtpSink;
let transport: MailTransport;
let work: DurableWork;

beforeAll(async () => {
  database = await createOwnDatabase();
  await freezeClock(database.url);
  sink = await startSmtpSink();
  transport = openSmtp(sink.url);
  work = createMailWork({
    pool: database.pool,
    secretsKey: TEST_SECRETS_KEY,
    transport,
    from: { name: "Dynamo CSMS", address: "no-reply@example.org" },
    log: pino({ level: "silent" }),
    metrics: createMailMetrics(new Registry()),
  });
});
afterEach(async () => {
  sink.mails.length = 0;
  await database.pool.query("truncate mails");
});
afterAll(async () => {
  transport.close();
  await sink.close();
  await database.drop();
});

const queue = (mail: QueuedMail) => queueMail(sqlOn(database.pool), TEST_SECRETS_KEY, mail);
const verify = (recipient = "alex@example.org", fullName = "Alex Technician"): QueuedMail => ({
  template: "verify_email",
  dedupeKey: `verify_email:${recipient}`,
  recipient,
  data: { full_name: fullName, company: "Acme", expires_at: "2026-05-02T10:00:00Z" },
  secretData: { url: "https://api.example.org/verify?token=s3cret" },
});
const assigned = (projectName: string): QueuedMail => ({
  template: "installer_assigned",
  dedupeKey: "installer_assigned:1",
  recipient: "alex@example.org",
  data: {
    full_name: "Alex",
    organization_name: "ChargeCo",
    project_id: "proj_01hx5t6u7v8w",
    project_name: projectName,
    site_address: "London",
  },
});

async function rows() {
  const { rows: found } = await database.pool.query(
    "select status, attempts, last_error, sealed_data, data from mails order by created_at",
  );
  return found;
}

test("a queued mail arrives once, with its link; the link never lies open in the table", async () => {
  const id = (await queue(verify())) ?? "";
  expect(JSON.stringify(await rows())).not.toContain("s3cret");
  await Promise.all([work.run(id), work.run(id), work.run(id)]);
  await runDue(work);
  expect(sink.mails).toHaveLength(1);
  const mail = sink.mail(0);
  expect(mail.recipients).toEqual(["alex@example.org"]);
  expect(mail.parsed.text).toContain("https://api.example.org/verify?token=s3cret");
  expect(mail.parsed.html).toContain("https://api.example.org/verify?token=s3cret");
  expect(mail.parsed.from).toMatchObject({ name: "Dynamo CSMS", address: "no-reply@example.org" });
  expect(await rows()).toMatchObject([{ status: "sent", attempts: 1, sealed_data: null }]);
});

test("the same key is queued once", async () => {
  expect(await queue(verify())).toMatch(/^mail_/);
  expect(await queue(verify())).toBeUndefined();
});

test("subject and names in any script arrive as they are", async () => {
  await queue(assigned("Riverside Business Park — Phase 1, محمد 田中"));
  await runDue(work);
  expect(sink.mail(0).parsed.subject).toBe("You were assigned to Riverside Business Park — Phase 1, محمد 田中");
  expect(sink.mail(0).parsed.text).toContain("Riverside Business Park — Phase 1, محمد 田中");
});

test("[E15] a name cannot add a header or a recipient", async () => {
  await queue(assigned("X\r\nBcc: victim@example.org\r\nContent-Type: text/html\r\n\r\n<b>"));
  await runDue(work);
  const mail = sink.mail(0);
  expect(mail.recipients).toEqual(["alex@example.org"]);
  expect(mail.parsed.headers.map((header) => header.key)).not.toContain("bcc");
  expect(mail.parsed.subject).toBe("You were assigned to X Bcc: victim@example.org Content-Type: text/html <b>");
});

test.each([
  "a@example.org, victim@example.org",
  "a@example.org\r\nBcc: victim@example.org",
  "Alex <a@example.org>",
  "a@example.org\r\nRCPT TO:<victim@example.org>",
])("[E15] a recipient that is not one bare address gets nothing: %j", async (recipient) => {
  await queue(verify(recipient));
  await runDue(work);
  expect(sink.mails).toEqual([]);
  expect(await rows()).toMatchObject([{ status: "failed", last_error: "the recipient is not one bare address" }]);
});

test("[E12] a server that is busy is asked again later, with the same Message-ID", async () => {
  await queue(verify());
  sink.refuseNext(451, 1);
  await runDue(work);
  expect(sink.mails).toEqual([]);
  expect(await rows()).toMatchObject([{ status: "pending", attempts: 1 }]);
  await database.pool.query("update mails set next_attempt_at = now()");
  await runDue(work);
  // A process that died before it marked the mail: sent again, recognisable as the same.
  await database.pool.query(
    "update mails set status = 'pending', next_attempt_at = now(), sealed_data = null, template = 'installer_assigned', data = $1",
    [JSON.stringify(assigned("X").data)],
  );
  await runDue(work);
  expect(sink.mails).toHaveLength(2);
  expect(sink.mail(1).parsed.messageId).toBe(sink.mail(0).parsed.messageId);
  expect(sink.mail(0).parsed.messageId).toMatch(/^<mail_[0-9a-z]{26}@example\.org>$/);
});

test("a recipient that is refused for good is not tried again", async () => {
  await queue(verify());
  sink.refuseNext(550, 1);
  await runDue(work);
  await database.pool.query("update mails set next_attempt_at = now()");
  await runDue(work);
  expect(sink.mails).toEqual([]);
  expect(await rows()).toMatchObject([{ status: "failed", attempts: 1 }]);
});

test("a server that is away for days: tried again with growing pauses, then given up", async () => {
  await queue(verify());
  sink.refuseNext(421, 1_000);
  for (let attempt = 0; attempt < 12; attempt++) {
    await runDue(work);
    await database.pool.query("update mails set next_attempt_at = now() where status = 'pending'");
  }
  sink.refuseNext(0, 0);
  expect(sink.mails).toEqual([]);
  expect(await rows()).toMatchObject([{ status: "failed", attempts: 10 }]);
});
