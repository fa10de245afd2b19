import { seal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import type { MailContent } from "./templates.ts";

/** The durable work that sends mails. */
export const MAIL_WORK = "mail";

export type QueuedMail = MailContent & {
  /** One mail per key, for ever: what makes a repeated request or job harmless. Such as `handover:proj_…:name@example.org`. */
  dedupeKey: string;
  /** One bare address, no display name. */
  recipient: string;
};

/**
 * Writes a mail into the outbox, in the caller's transaction. A key that is there already changes nothing.
 * `secretData` (links with tokens) is stored sealed and is merged over `data` when the mail is made.
 * @returns the mail's id, or undefined when this key was queued before. Wake MAIL_WORK with it after the commit; forgotten, the sweeper finds it.
 */
export async function queueMail(sql: Sql, secretsKey: SecretsKey, mail: QueuedMail): Promise<string | undefined> {
  const id = newId("mail");
  const sealed =
    mail.secretData === undefined ? null : seal(secretsKey, mailContext(id), JSON.stringify(mail.secretData));
  const rows = await sql.query<{ id: string }>(
    `insert into mails (id, dedupe_key, recipient, template, data, sealed_data) values ($1, $2, $3, $4, $5::jsonb, $6)
     on conflict (dedupe_key) do nothing returning id`,
    [id, mail.dedupeKey, mail.recipient, mail.template, JSON.stringify(mail.data), sealed],
  );
  return rows[0]?.id;
}

/** What a mail's sealed data is bound to. */
export const mailContext = (mailId: string) => `mails.sealed_data:${mailId}`;
