import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A line between a station and a gateway: what comes in late, slowly, or not at all any more. */
export interface Line {
  /** ws://127.0.0.1:port */
  url: string;
  /** From now on nothing arrives in either direction, and nobody is told: as when a radio link is gone. */
  goDead(): void;
  close(): Promise<void>;
}

interface LineSettings {
  /** One way. */
  delayMs?: number;
  /** Each way; 0: any number. */
  bytesPerSecond?: number;
}

/** A TCP proxy that behaves as such a line. */
export async function startLine(
  targetPort: number,
  { delayMs = 0, bytesPerSecond = 0 }: LineSettings = {},
): Promise<Line> {
  const sockets = new Set<Socket>();
  let dead = false;

  function pass(from: Socket, to: Socket): void {
    let freeAtMs = 0;
    from.on("data", (bytes: Buffer) => {
      const nowMs = performance.now();
      freeAtMs = Math.max(freeAtMs, nowMs) + (bytesPerSecond === 0 ? 0 : (bytes.length / bytesPerSecond) * 1_000);
      setTimeout(
        () => {
          if (!dead && !to.destroyed) to.write(bytes);
        },
        freeAtMs - nowMs + delayMs,
      );
    });
  }

  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        if (!dead) other.destroy();
      });
      pass(socket, other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    goDead: () => (dead = true),
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
