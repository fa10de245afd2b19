import { unseal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type pg from "pg";
import type { Logger } from "pino";
import type { DurableWork } from "../jobs/durable-work.ts";
import { isBareAddress, type Sender } from "./mail-address.ts";
import type { MailMetrics } from "./mail-metrics.ts";
import { mailContext, MAIL_WORK } from "./queue-mail.ts";
import type { MailTransport } from "./smtp-transport.ts";
import { renderMail, type MailContent } from "./templates.ts";

export interface MailDeps {
  pool: pg.Pool;
  secretsKey: SecretsKey;
  transport: MailTransport;
  from: Sender;
  log: Logger;
  metrics: MailMetrics;
}

/** Pauses after a failed attempt, in seconds: for about a day and a half, as mail servers themselves do. */
const PAUSES_SECONDS = [10, 60, 5 * 60, 15 * 60, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 12 * 3_600] as const;
/** An attempt that takes longer counts as lost with its process: above the transport's own deadline. */
const CLAIM_SECONDS = 180;

interface ClaimedMail {
  id: string;
  attempts: number;
  recipient: string;
  template: string;
  data: Record<string, unknown>;
  sealed_data: string | null;
}

/**
 * Sends queued mails, at least once. The row is claimed before the SMTP server is asked and marked right after it accepted.
 * A mail is sent twice only when its process dies, or stands still for longer than its claim, between the server's 250 and the
 * mark, or when the server accepts and fails to say so: a handover's certificate that comes twice is better than one that
 * never comes, and the Message-ID is the same, by which receivers drop the double.
 */
export function createMailWork(deps: MailDeps): DurableWork {
  const { pool, metrics, log } = deps;
  return {
    name: MAIL_WORK,
    concurrency: 5,
    async run(id) {
      const mail = await claimMail(pool, id);
      if (mail === undefined) return;
      const failure = await attempt(deps, mail);
      if (failure === undefined) {
        metrics.attempts.inc({ outcome: "sent" });
        await pool.query(
          "update mails set status = 'sent', sent_at = now(), sealed_data = null, last_error = null where id = $1 and status = 'pending'",
          [id],
        );
        return;
      }
      const pauseSeconds = failure.permanent ? undefined : PAUSES_SECONDS[mail.attempts - 1];
      metrics.attempts.inc({ outcome: pauseSeconds === undefined ? "given_up" : "retried" });
      log.warn(
        { mailId: id, template: mail.template, attempt: mail.attempts, pauseSeconds, reason: failure.reason },
        "mail not sent",
      );
      await pool.query(
        `update mails set status = case when $2::integer is null then 'failed' else 'pending' end, last_error = $3,
           next_attempt_at = now() + make_interval(secs => coalesce($2::integer, 0) * (1 + random() / 10))
         where id = $1 and status = 'pending' and attempts = $4`,
        [id, pauseSeconds ?? null, failure.reason, mail.attempts],
      );
    },
    async due(limit) {
      const { rows } = await pool.query<{ id: string }>(
        "select id from mails where status = 'pending' and next_attempt_at <= now() order by next_attempt_at limit $1",
        [limit],
      );
      return rows.map((row) => row.id);
    },
  };
}

async function claimMail(pool: pg.Pool, id: string): Promise<ClaimedMail | undefined> {
  const { rows } = await pool.query<ClaimedMail>(
    `update mails set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => ${CLAIM_SECONDS})
     where id = $1 and status = 'pending' and next_attempt_at <= now()
     returning id, attempts, recipient, template, data, sealed_data`,
    [id],
  );
  return rows[0];
}

interface Failure {
  reason: string;
  permanent: boolean;
}

/** @returns undefined when the server took the mail. Throws only when Postgres cannot be asked. */
async function attempt(
  { pool, secretsKey, transport, from }: MailDeps,
  mail: ClaimedMail,
): Promise<Failure | undefined> {
  if (!isBareAddress(mail.recipient)) return { reason: "the recipient is not one bare address", permanent: true };
  // The row was written by queueMail, which takes nothing but MailContent.
  const content = {
    template: mail.template,
    data: mail.data,
    secretData:
      mail.sealed_data === null ? undefined : JSON.parse(unseal(secretsKey, mailContext(mail.id), mail.sealed_data)),
  } as MailContent;
  const rendered = renderMail(content);
  const attachment =
    rendered.certificateOf === undefined ? undefined : await certificateOf(pool, rendered.certificateOf);
  if (rendered.certificateOf !== undefined && attachment === undefined)
    return { reason: "the certificate is gone", permanent: true };
  try {
    await transport.send({
      from,
      to: mail.recipient,
      subject: rendered.subject,
      text: rendered.text,
      html: rendered.html,
      messageId: `<${mail.id}@${from.address.slice(from.address.lastIndexOf("@") + 1)}>`,
      ...(attachment === undefined ? {} : { attachment }),
    });
    return undefined;
  } catch (cause) {
    return failureOf(cause);
  }
}

async function certificateOf(
  pool: pg.Pool,
  projectId: string,
): Promise<{ filename: string; content: Buffer; contentType: string } | undefined> {
  const { rows } = await pool.query<{ pdf: Buffer }>("select pdf from certificates where project_id = $1", [projectId]);
  const pdf = rows[0]?.pdf;
  return pdf === undefined
    ? undefined
    : { filename: `handover-certificate-${projectId}.pdf`, content: pdf, contentType: "application/pdf" };
}

/** A server that refuses the recipient or the mail itself for good (5xx) will not change its mind; everything else may pass. */
function failureOf(cause: unknown): Failure {
  const { code, responseCode, message } = cause as { code?: string; responseCode?: number; message?: string };
  const permanent = (code === "EENVELOPE" || code === "EMESSAGE") && responseCode !== undefined && responseCode >= 500;
  return { reason: (message ?? "unknown").slice(0, 500), permanent };
}
