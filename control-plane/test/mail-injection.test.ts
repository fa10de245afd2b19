import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { createMailMetrics } from "../mail/mail-metrics.ts";
import { queueMail, type QueuedMail } from "../mail/queue-mail.ts";
import { createMailWork } from "../mail/send-mail.ts";
import { openSmtp, type MailTransport } from "../mail/smtp-transport.ts";
import type { MailContent } from "../mail/templates.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { startSmtpSink, type SmtpSink } from "./smtp-sink.ts";
import { runDue, TEST_SECRETS_KEY } from "./webhook-world.ts";

let database: OwnDatabase;
let sink: SmtpSink;
let transport: MailTransport;
beforeAll(async () => {
  [database, sink] = await Promise.all([createOwnDatabase(), startSmtpSink()]);
  transport = openSmtp(sink.url);
});
afterAll(async () => {
  transport.close();
  await sink.close();
  await database.drop();
});

const link = { full_name: "Alex", company: "Acme", expires_at: "2026-05-02T10:00:00Z" };
/** One mail of each template. The compiler says when a template is missing here. */
const SAMPLES: { [T in MailContent["template"]]: Extract<MailContent, { template: T }> } = {
  verify_email: { template: "verify_email", data: link, secretData: { url: "https://api.example.org/v?token=a" } },
  reset_password: { template: "reset_password", data: link, secretData: { url: "https://api.example.org/r?token=a" } },
  account_exists: { template: "account_exists", data: { full_name: "Alex", installer_id: "ins_1" } },
  installer_assigned: {
    template: "installer_assigned",
    data: {
      full_name: "Alex",
      organization_name: "ChargeCo",
      project_id: "proj_1",
      project_name: "Riverside",
      site_address: "London",
    },
  },
  handover_completed: {
    template: "handover_completed",
    data: {
      project_id: "proj_1",
      project_name: "Riverside",
      site_address: "London",
      installer_name: "Alex",
      installer_company: "Acme",
      site_contact_name: "Sarah",
      handed_over_at: "2026-05-01T14:45:00Z",
      charge_point_count: 4,
      warnings: ["6 charge points were expected."],
    },
    secretData: { certificate_url: "https://api.example.org/certificates/proj_1.pdf?token=a" },
  },
  webhook_disabled: {
    template: "webhook_disabled",
    data: { organization_name: "ChargeCo", endpoint_id: "whe_1", url: "https://example.org/", reason: "410 Gone" },
  },
};

/** What may be put into a name or a note, by somebody who wants another recipient, another header, or markup. */
const ATTACKS = [
  "X\r\nBcc: spy@example.org",
  "X\nBcc: spy@example.org\nContent-Type: text/html\n\n<b>",
  "X\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<spy@example.org>",
  "X\u2028Bcc: spy@example.org\u0085To: spy@example.org",
  "=?utf-8?q?=0d=0aBcc:_spy@example.org?=",
  '<script src="https://evil.example/x.js"></script><img src="https://evil.example/p.png" onerror=alert(1)>',
  '"><iframe src="file:///etc/passwd">',
];

/** Each text of the mail's data replaced by the attack, one after the other; but for the id of the certificate to attach. */
function attacked({ template, data }: MailContent, attack: string): { field: string; data: object }[] {
  return Object.entries(data).flatMap(([field, value]) => {
    if (template === "handover_completed" && field === "project_id") return [];
    if (typeof value === "string") return [{ field, data: { ...data, [field]: attack } }];
    return Array.isArray(value) ? [{ field, data: { ...data, [field]: [attack] } }] : [];
  });
}

test.each(Object.values(SAMPLES))(
  "[E15] nothing in a mail of $template adds a header, a recipient or an element",
  async (content) => {
    const work = createMailWork({
      pool: database.pool,
      secretsKey: TEST_SECRETS_KEY,
      transport,
      from: { name: "Dynamo CSMS", address: "no-reply@example.org" },
      log: pino({ level: "silent" }),
      metrics: createMailMetrics(new Registry()),
    });
    await database.pool.query(`insert into organizations (id, name) values ('org_1', 'x') on conflict do nothing`);
    await database.pool.query(
      `insert into projects (id, org_id, name, site_address, charge_points_expected) values ('proj_1', 'org_1', 'x', 'x', 1) on conflict do nothing`,
    );
    await database.pool.query(
      `insert into certificates (project_id, pdf, sha256, link_token_sealed, link_token_hash, created_at)
       values ('proj_1', 'pdf', 'x', 'x', 'x', now()) on conflict do nothing`,
    );
    const send = async (data: object) => {
      sink.mails.length = 0;
      const mail = { ...content, data, dedupeKey: crypto.randomUUID(), recipient: "alex@example.org" } as QueuedMail;
      await queueMail(sqlOn(database.pool), TEST_SECRETS_KEY, mail);
      await runDue(work);
      return sink.mail(0);
    };
    const plain = await send(content.data);
    const headersOf = ({ parsed }: typeof plain) => parsed.headers.map(({ key }) => key).sort();
    const elementsOf = ({ parsed }: typeof plain) =>
      [...(parsed.html ?? "").matchAll(/<(script|img|iframe|link|form|object|svg)\b/gi)].map(([element]) => element);
    expect(elementsOf(plain)).toEqual([]);
    const cases = ATTACKS.flatMap((attack) => attacked(content, attack));
    expect(cases.length).toBeGreaterThanOrEqual(2 * ATTACKS.length);
    for (const { field, data } of cases) {
      const mail = await send(data);
      expect({ field, to: mail.recipients, headers: headersOf(mail), elements: elementsOf(mail) }).toEqual({
        field,
        to: ["alex@example.org"],
        headers: headersOf(plain),
        elements: [],
      });
      expect(mail.parsed.to).toEqual([{ name: "", address: "alex@example.org" }]);
      expect(mail.parsed.subject).not.toMatch(/[\r\n]/);
    }
  },
);
