import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { listPage, mailPage } from "./mail-page.ts";
import { openMailStore } from "./mail-store.ts";

const LARGEST_MAIL_BYTES = 25 * 1_048_576;

export interface MailSink {
  httpPort: number;
  smtpPort: number;
  close(): Promise<void>;
}

/**
 * Takes every mail over SMTP, sends none on, and shows them: a web page, and `GET /api/messages`, newest first.
 *
 * @param settings ports may be 0 for any free one
 */
export async function startMailSink(settings: {
  folder: string;
  host: string;
  httpPort: number;
  smtpPort: number;
}): Promise<MailSink> {
  const web = createServer();
  await listening((done) => web.listen(settings.httpPort, settings.host, done), web);
  const httpPort = (web.address() as AddressInfo).port;
  const store = await openMailStore(settings.folder, `http://localhost:${httpPort}`);
  web.on("request", (request, response) => void answer(request, response, store));

  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    size: LARGEST_MAIL_BYTES,
    onAuth: (_auth, _session, done) => done(null, { user: "anyone" }),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => stream.sizeExceeded || chunks.push(chunk));
      stream.on("end", () => {
        if (stream.sizeExceeded) return done(Object.assign(new Error("larger than 25 MiB"), { responseCode: 552 }));
        const { mailFrom, rcptTo } = session.envelope;
        store
          .add(Buffer.concat(chunks), {
            sender: mailFrom ? mailFrom.address : "",
            recipients: rcptTo.map(({ address }) => address),
          })
          .then(
            () => done(),
            (cause: Error) => done(cause),
          );
      });
    },
  });
  // A client that hangs up in the middle is its own affair.
  smtp.on("error", (error) =>
    console.error(JSON.stringify({ level: 40, msg: "mail client broke off", error: error.message })),
  );
  await listening((done) => smtp.listen(settings.smtpPort, settings.host, done), smtp.server);

  return {
    httpPort,
    smtpPort: (smtp.server.address() as AddressInfo).port,
    async close() {
      web.closeAllConnections();
      await Promise.all([
        new Promise<void>((resolve) => web.close(() => resolve())),
        new Promise<void>((resolve) => smtp.close(resolve)),
      ]);
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  store: Awaited<ReturnType<typeof openMailStore>>,
): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const send = (status: number, type: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    response
      .writeHead(status, {
        "content-type": type,
        "content-security-policy":
          "default-src 'none'; style-src 'unsafe-inline'; img-src data: https: http:; frame-src 'self'",
        "x-content-type-options": "nosniff",
        ...headers,
      })
      .end(body);
  const json = (status: number, body: unknown) => send(status, "application/json; charset=utf-8", JSON.stringify(body));

  try {
    const [, id, index] = /^\/api\/messages\/([\w-]+)(?:\/attachments\/(\d+))?$/.exec(pathname) ?? [];
    const shown = store.list().find((mail) => mail.id === id || `/messages/${mail.id}` === pathname);
    if (request.method === "DELETE" && pathname === "/api/messages")
      return void (store.clear(), json(200, { messages: [] }));
    if (request.method !== "GET" && request.method !== "HEAD")
      return void json(405, { message: "GET what is there, DELETE /api/messages" });
    if (pathname === "/") return void send(200, "text/html; charset=utf-8", listPage(store.list()));
    if (pathname === "/api/messages") return void json(200, { messages: store.list() });
    if (shown && pathname.startsWith("/messages/")) return void send(200, "text/html; charset=utf-8", mailPage(shown));
    if (shown && index === undefined) return void json(200, shown);
    const file = id !== undefined && index !== undefined ? await store.attachment(id, Number(index)) : undefined;
    if (!file) return void json(404, { message: `there is nothing at ${pathname}` });
    const disposition = `attachment; filename*=UTF-8''${encodeURIComponent(file.filename)}`;
    send(200, file.contentType, file.bytes, { "content-disposition": disposition });
  } catch (cause) {
    console.error(JSON.stringify({ level: 50, msg: "request failed", path: pathname, error: String(cause) }));
    json(500, { message: "the mail sink failed: see its log" });
  }
}

async function listening(
  listen: (done: () => void) => void,
  server: { once(event: "error", heard: (error: Error) => void): unknown },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    listen(resolve);
  });
}
