import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import nodemailer from "nodemailer";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { StoredMail } from "../mail-store.ts";
import { startMailSink, type MailSink } from "../mail-sink.ts";

let folder: string;
let sink: MailSink;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mail-sink-"));
  sink = await startMailSink({ folder, host: "127.0.0.1", httpPort: 0, smtpPort: 0 });
});
afterEach(async () => {
  await sink.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string) => fetch(`http://127.0.0.1:${sink.httpPort}${path}`);
const messages = async () => ((await (await get("/api/messages")).json()) as { messages: StoredMail[] }).messages;
const send = (mail: Parameters<ReturnType<typeof nodemailer.createTransport>["sendMail"]>[0]) =>
  nodemailer
    .createTransport(`smtp://127.0.0.1:${sink.smtpPort}`)
    .sendMail({ from: "Dynamo <noreply@dynamo.example>", ...mail });

test("a mail over SMTP is listed with the agreed fields, newest first", async () => {
  await send({ to: "alex@acme.example", subject: "First", text: "one" });
  await send({
    to: ["a@b.example", "c@d.example"],
    subject: "Riverside — Phase 1",
    text: "naïve ✓",
    html: "<p>naïve ✓</p>",
  });
  const [newest, first] = await messages();
  expect(newest).toEqual({
    id: expect.any(String),
    from: "noreply@dynamo.example",
    to: ["a@b.example", "c@d.example"],
    subject: "Riverside — Phase 1",
    text: "naïve ✓\n",
    html: "<p>naïve ✓</p>\n",
    received_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    attachments: [],
  });
  expect(first?.subject).toBe("First");
});

test("an attachment comes back byte for byte", async () => {
  const content = Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 256));
  await send({
    to: "a@b.example",
    subject: "Certificate",
    text: "see there",
    attachments: [{ filename: "Übergabe.pdf", content, contentType: "application/pdf" }],
  });
  const attachment = (await messages())[0]?.attachments[0];
  expect(attachment).toMatchObject({ filename: "Übergabe.pdf", content_type: "application/pdf", size: 5_000 });
  expect(Buffer.from(await (await fetch(attachment?.url as string)).arrayBuffer()).equals(content)).toBe(true);
});

test("mails are kept over a restart", async () => {
  await send({ to: "a@b.example", subject: "Kept", text: "" });
  await sink.close();
  sink = await startMailSink({ folder, host: "127.0.0.1", httpPort: 0, smtpPort: 0 });
  expect((await messages()).map(({ subject }) => subject)).toEqual(["Kept"]);
});

test("a mail's HTML and subject cannot break out of the page that shows them", async () => {
  await send({ to: "a@b.example", subject: `<script>alert(1)</script>`, html: `"><script>alert(2)</script>` });
  const id = (await messages())[0]?.id;
  for (const path of ["/", `/messages/${id}`]) {
    const page = await (await get(path)).text();
    expect(page).not.toContain("<script");
    expect(page).toContain("&#60;script&#62;alert(1)");
  }
});

test("what is not there is 404, also outside of the folder", async () => {
  for (const path of [
    "/nothing",
    "/api/messages/x",
    "/api/messages/x/attachments/0",
    "/api/messages/..%2f..%2fetc",
    "/messages/../../etc/passwd",
  ]) {
    expect((await get(path)).status).toBe(404);
  }
});
