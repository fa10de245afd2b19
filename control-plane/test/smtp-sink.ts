import { once } from "node:events";
import type { AddressInfo } from "node:net";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer } from "smtp-server";

interface SunkMail {
  /** The recipients that the server was told, whatever the headers say. */
  recipients: string[];
  raw: string;
  parsed: Email;
}

export interface SmtpSink {
  url: string;
  mails: SunkMail[];
  /** The nth mail, from 0. Throws when it did not come. */
  mail(index: number): SunkMail;
  /** The next mails are refused with this SMTP code, as many as `count` says: for good when it is 5xx. */
  refuseNext(code: number, count: number): void;
  close(): Promise<void>;
}

/** A real SMTP server on a free port that keeps what it is sent. */
export async function startSmtpSink(): Promise<SmtpSink> {
  const mails: SunkMail[] = [];
  let refusing = { code: 0, count: 0 };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onRcptTo(_address, _session, callback) {
      if (refusing.count === 0) return callback();
      refusing.count--;
      callback(Object.assign(new Error("not now"), { responseCode: refusing.code }));
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const raw = Buffer.concat(chunks);
        void PostalMime.parse(raw).then((parsed) => {
          mails.push({
            recipients: session.envelope.rcptTo.map((recipient) => recipient.address),
            raw: raw.toString("utf8"),
            parsed,
          });
          callback();
        });
      });
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    mails,
    mail(index) {
      const mail = mails[index];
      if (mail === undefined) throw new Error(`${mails.length} mails came, none at ${index}`);
      return mail;
    },
    refuseNext: (code, count) => {
      refusing = { code, count };
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
