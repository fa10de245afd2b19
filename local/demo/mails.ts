import type { StoredMail } from "../mail-store.ts";
import { until } from "./http.ts";

/** The mails that carry a file of such a name, newest first. */
export async function mailsWithAttachment(mailUrl: string, filename: RegExp): Promise<StoredMail[]> {
  const mails = await allMails(mailUrl);
  return mails.filter(({ attachments }) => attachments.some((file) => filename.test(file.filename)));
}

/** Waits for a mail to an address that holds a link into the API, and returns the link. */
export async function linkInMailTo(mailUrl: string, address: string, path: RegExp): Promise<string> {
  return until(`a mail with a link to ${address}`, async () => {
    const mail = (await allMails(mailUrl)).find(({ to }) => to.includes(address));
    return mail?.text.match(/https?:\/\/[^\s<>"]+/g)?.find((url) => path.test(url));
  });
}

async function allMails(mailUrl: string): Promise<StoredMail[]> {
  const response = await fetch(`${mailUrl}/api/messages`);
  return ((await response.json()) as { messages: StoredMail[] }).messages;
}
