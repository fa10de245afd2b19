import { startMailSink } from "../mail-sink.ts";

const { MAIL_FOLDER, MAIL_HOST = "127.0.0.1", MAIL_PORT = "1080", SMTP_PORT = "0" } = process.env;
if (!MAIL_FOLDER) throw new Error("MAIL_FOLDER: want the folder that keeps the mails");

const sink = await startMailSink({
  folder: MAIL_FOLDER,
  host: MAIL_HOST,
  httpPort: Number(MAIL_PORT),
  smtpPort: Number(SMTP_PORT),
});
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void sink.close().then(() => process.exit(0)));
console.log(JSON.stringify({ level: 30, msg: "ready", port: sink.httpPort, smtpPort: sink.smtpPort }));
