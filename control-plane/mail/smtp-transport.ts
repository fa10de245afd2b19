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

/** Mail through SMTP. The URL says how: `smtp://user:password@host:587`, `smtps://…`. Nothing is connected before the first mail. */
export function openSmtp(smtpUrl: string): MailTransport {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    // Mails are made of our own texts and bytes: nothing in one may make us read a file or fetch a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ from, to, subject, text, html, messageId, attachment }) {
      await transport.sendMail({
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
      });
    },
    close: () => transport.close(),
  };
}
