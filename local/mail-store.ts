import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import PostalMime, { type Attachment } from "postal-mime";

const KEPT_MAILS = 500;

/** A mail as `GET /api/messages` gives it. */
export interface StoredMail {
  id: string;
  from: string;
  /** Those it was delivered to: the envelope's, which knows blind copies too. */
  to: string[];
  subject: string;
  text: string;
  /** "" when it has none. */
  html: string;
  received_at: string;
  attachments: { filename: string; content_type: string; size: number; url: string }[];
}

interface OnDisk {
  id: string;
  receivedAt: string;
  recipients: string[];
  sender: string;
  /** base64: a mail may hold any bytes */
  raw: string;
}

/**
 * Mails in a folder, one file each; the oldest go when there are more than 500.
 *
 * @param folder made when missing; mails in it are kept from earlier runs
 * @param baseUrl where the mail sink is reached, for the attachments' URLs
 */
export async function openMailStore(folder: string, baseUrl: string) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const mails: StoredMail[] = [];
  for (const name of readdirSync(folder)
    .filter((entry) => entry.endsWith(".json"))
    .sort())
    mails.push(await present(read(join(folder, name)), baseUrl));

  const fileOf = (id: string) => join(folder, `${id}.json`);
  return {
    /** Newest first. */
    list: (): StoredMail[] => mails.toReversed(),

    /** On disk when it resolves. */
    async add(raw: Buffer, envelope: { sender: string; recipients: string[] }): Promise<StoredMail> {
      // Begins with the time, so that the names' order is the mails'.
      const id = `${String(Date.now()).padStart(14, "0")}-${randomBytes(6).toString("hex")}`;
      const stored: OnDisk = { id, receivedAt: new Date().toISOString(), ...envelope, raw: raw.toString("base64") };
      const mail = await present(stored, baseUrl);
      writeFileSync(`${fileOf(id)}.tmp`, JSON.stringify(stored), { mode: 0o600 });
      renameSync(`${fileOf(id)}.tmp`, fileOf(id));
      mails.push(mail);
      for (const old of mails.splice(0, Math.max(0, mails.length - KEPT_MAILS)))
        rmSync(fileOf(old.id), { force: true });
      return mail;
    },

    /** The numbered attachment of a mail; undefined when there is none. */
    async attachment(
      id: string,
      index: number,
    ): Promise<{ filename: string; contentType: string; bytes: Buffer } | undefined> {
      if (!mails.some((mail) => mail.id === id)) return undefined;
      const parsed = await PostalMime.parse(Buffer.from(read(fileOf(id)).raw, "base64"));
      const found = parsed.attachments[index];
      return found && { filename: nameOf(found, index), contentType: found.mimeType, bytes: bytesOf(found) };
    },

    clear(): void {
      for (const mail of mails.splice(0)) rmSync(fileOf(mail.id), { force: true });
    },
  };
}

function read(file: string): OnDisk {
  return JSON.parse(readFileSync(file, "utf8")) as OnDisk;
}

async function present(stored: OnDisk, baseUrl: string): Promise<StoredMail> {
  const parsed = await PostalMime.parse(Buffer.from(stored.raw, "base64"));
  return {
    id: stored.id,
    from: parsed.from?.address || stored.sender,
    to: stored.recipients,
    subject: parsed.subject ?? "",
    text: parsed.text ?? "",
    html: parsed.html ?? "",
    received_at: stored.receivedAt,
    attachments: parsed.attachments.map((attachment, index) => ({
      filename: nameOf(attachment, index),
      content_type: attachment.mimeType,
      size: bytesOf(attachment).length,
      url: `${baseUrl}/api/messages/${stored.id}/attachments/${index}`,
    })),
  };
}

function nameOf(attachment: Attachment, index: number): string {
  return attachment.filename ?? `attachment-${index + 1}`;
}

function bytesOf(attachment: Attachment): Buffer {
  return typeof attachment.content === "string"
    ? Buffer.from(attachment.content)
    : Buffer.from(new Uint8Array(attachment.content));
}
