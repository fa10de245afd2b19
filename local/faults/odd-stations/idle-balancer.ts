import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface IdleBalancer {
  port: number;
  /** Connections that it closed because nothing passed for too long. */
  readonly dropped: number;
  close(): Promise<void>;
}

/** A balancer of layer 4 that forgets a connection on which no byte passed for this long, in either direction. */
export async function startIdleBalancer(targetPort: number, idleMs: number): Promise<IdleBalancer> {
  const sockets = new Set<Socket>();
  let dropped = 0;
  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    const forget = () => {
      dropped += 1;
      near.resetAndDestroy();
      far.resetAndDestroy();
    };
    let timer = setTimeout(forget, idleMs);
    const passes = () => {
      clearTimeout(timer);
      timer = setTimeout(forget, idleMs);
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (chunk) => {
        passes();
        to.write(chunk);
      });
      from.on("error", () => {}); // "close" follows
      from.on("close", () => {
        sockets.delete(from);
        clearTimeout(timer);
        to.destroy();
      });
    }
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1_024 });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get dropped() {
      return dropped;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
