import { createTransport } from "nodemailer";
import { type Check, Findings } from "./finding.ts";

/** Whether the mail server takes us: connects, says EHLO, and logs in where the URL names somebody. Nothing is sent. */
export function smtpCheck(smtpUrl: string | undefined): Check {
  return {
    name: "smtp",
    runbook: "mail-backlog",
    async run() {
      const say = new Findings("smtp");
      if (smtpUrl === undefined) {
        say.ok("SMTP_URL is not set here: not examined");
        return say.all;
      }
      const transport = createTransport({
        url: smtpUrl,
        connectionTimeout: 5_000,
        greetingTimeout: 5_000,
        socketTimeout: 5_000,
      });
      try {
        await transport.verify();
        say.ok("the mail server takes our log-in");
      } finally {
        transport.close();
      }
      return say.all;
    },
  };
}
