import { createServer, connect, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** A TCP proxy in front of a server, that can lose answers and cut connections at a chosen moment. */
export interface CutProxy {
  port: number;
  /** From now on requests get through and answers do not. */
  swallowAnswers(): void;
  /** Cuts every connection; new ones work as normal. */
  cut(): void;
  /** Lets nobody in until `admit`. */
  refuse(): void;
  admit(): void;
  close(): Promise<void>;
}

export async function startCutProxy(targetPort: number): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let swallowing = false;
  let refusing = false;
  const server = createServer((near) => {
    if (refusing) return near.destroy();
    const far = connect(targetPort, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (bytes) => far.write(bytes));
    far.on("data", (bytes) => {
      if (!swallowing) near.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    swallowAnswers: () => (swallowing = true),
    cut() {
      swallowing = false;
      for (const socket of sockets) socket.destroy();
    },
    refuse: () => (refusing = true),
    admit: () => (refusing = false),
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
