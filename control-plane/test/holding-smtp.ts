import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** What a server may say to a mail that has come whole; saying nothing is possible too. */
export interface Verdict {
  accept(): void;
  /** Cuts the connection without a word. */
  drop(): void;
}

export interface HoldingSmtp {
  url: string;
  /** The Message-IDs of the mails that came whole, in their order. */
  messageIds: string[];
  close(): Promise<void>;
}

/**
 * An SMTP server on a free port, as small as can be, whose every step a test decides: `atMail` gets each mail that came whole
 * with its number from 1, `atGreeting` each connection, which is greeted by default.
 */
export async function startHoldingSmtp(
  atMail: (verdict: Verdict, count: number) => void,
  atGreeting: (socket: Socket) => void = (socket) => void socket.write("220 ready\r\n"),
): Promise<HoldingSmtp> {
  const messageIds: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    let [text, inMail] = ["", false];
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
      for (;;) {
        const mark = inMail ? "\r\n.\r\n" : "\r\n";
        const end = text.indexOf(mark);
        if (end === -1) return;
        const said = text.slice(0, end);
        text = text.slice(end + mark.length);
        if (inMail) {
          inMail = false;
          messageIds.push(/^Message-ID:\s*(\S+)/im.exec(said)?.[1] ?? "none");
          atMail({ accept: () => socket.write("250 taken\r\n"), drop: () => socket.destroy() }, messageIds.length);
        } else {
          inMail = /^data$/i.test(said);
          socket.write(inMail ? "354 go on\r\n" : /^quit/i.test(said) ? "221 bye\r\n" : "250 ok\r\n");
        }
      }
    });
    atGreeting(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    messageIds,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
