// The way from the addresses of Services to pods, for a cluster that is only pretended: a process of its own, so that what the
// fleet sends does not go through its conductor. It hands on connections, new ones to a target by chance, and does not touch
// those that are open, whatever becomes of their target: what a cluster's network does. It ends with who started it.
import { connect, createServer, type Socket } from "node:net";
import type { Listener } from "../upgrade/endpoints.ts";

const BACKLOG = 4_096; // what the kernel allows by default
const targetsOf = new Map<string, Listener["targets"]>();
const opened = new Set<string>();

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  const { id, listeners } = message as { id: number; listeners: Listener[] };
  Promise.all(listeners.map(take)).then(
    () => answer({ id }),
    (error: unknown) => answer({ id, error: String(error) }),
  );
});

function answer(message: { id: number; error?: string }): void {
  if (process.connected) process.send?.(message);
}

async function take({ address, port, targets }: Listener): Promise<void> {
  const name = `${address}:${port}`;
  targetsOf.set(name, targets);
  if (opened.has(name)) return;
  opened.add(name);
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (client) =>
    handOn(client, targetsOf.get(name) ?? []),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port, backlog: BACKLOG }, () => resolve());
  });
}

function handOn(client: Socket, targets: Listener["targets"]): void {
  const target = targets[Math.floor(Math.random() * targets.length)];
  client.on("error", () => {});
  if (target === undefined) return void client.resetAndDestroy();
  const pod = connect({ host: target.address, port: target.port, allowHalfOpen: true, noDelay: true });
  pod.on("error", () => client.resetAndDestroy());
  client.on("error", () => pod.resetAndDestroy());
  pod.once("connect", () => {
    client.pipe(pod);
    pod.pipe(client);
  });
  client.once("close", () => pod.destroy());
  pod.once("close", () => client.destroy());
}
