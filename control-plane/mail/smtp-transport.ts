import { createTransport } from "nodemailer";
import type { Sender } from "./mail-address.ts";

interface OutgoingMail {
  from: Sender;
  to: string;
  subject: string;
  text: string;
  html: string;
  /** With its angle brackets. The same at each attempt: receivers drop what they have. */
  messageId: string;
  attachment?: { filename: string; content: Buffer; contentType: string };
}

export interface MailTransport {
  /** Resolves when the server took responsibility for the mail. Rejects with nodemailer's error (`code`, `responseCode`). */
  send(mail: OutgoingMail): Promise<void>;
  close(): void;
}

/** Longer than any server takes that still answers; content filters take their time before they say that they have a mail. */
const SEND_SECONDS = 150;

/** Mail through SMTP. The URL says how: `smtp://user:password@host:587`, `smtps://…`. Nothing is connected before the first mail. */
export function openSmtp(smtpUrl: string): MailTransport {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    // Far above the deadline below, which is the one that counts.
    socketTimeout: 600_000,
    // Mails are made of our own texts and bytes: nothing in one may make us read a file or fetch a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ from, to, subject, text, html, messageId, attachment }) {
      const deadline = ownTimeDeadline(SEND_SECONDS);
      await transport
        .sendMail({
          signal: deadline.signal,
          // Addresses as objects: they are written as they are, not parsed as lists.
          from: { name: from.name, address: from.address },
          to: { name: "", address: to },
          envelope: { from: from.address, to: [to] },
          subject,
          text,
          html,
          messageId,
          headers: { "Auto-Submitted": "auto-generated" },
          ...(attachment === undefined ? {} : { attachments: [attachment] }),
        })
        .finally(deadline.clear);
    },
    close: () => transport.close(),
  };
}

/**
 * Aborts after so many seconds in which this process ran: while it was stopped, or its loop was blocked, the server may have
 * said that it has the mail. A timer of that many seconds would fire before that answer is read, and the mail would go out twice.
 */
function ownTimeDeadline(seconds: number): { signal: AbortSignal; clear: () => void } {
  const over = new AbortController();
  let left = seconds;
  const tick = setInterval(() => {
    left -= 1;
    if (left === 0) over.abort();
  }, 1_000);
  return { signal: over.signal, clear: () => clearInterval(tick) };
}
