// The process that holds the ways of a run. Its work is done where the conductor's own work cannot slow it down, and where a
// burst of connections does not reach the conductor's memory. It ends with the process that started it.
import type { Socket, Server } from "node:net";
import { createServer } from "node:net";
import { freePort } from "../../ports.ts";
import { proxyConnection, type ProxiedConnection, type Traffic } from "./proxied-connection.ts";
import type { ProxyAnswer, ProxyOrder, ProxyRequest } from "./proxy-messages.ts";

interface OpenWay {
  port: number;
  server: Server | undefined;
  targets: readonly number[];
  /** Whose turn it is. */
  turn: number;
  traffic: Traffic;
  connections: Set<ProxiedConnection>;
}

const BACKLOG = 4_096; // what the kernel allows by default
const ways = new Map<string, OpenWay>();

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  const { id, order } = message as ProxyRequest;
  carryOut(order).then(
    (value) => reply({ id, value }),
    (error: unknown) => reply({ id, error: String(error) }),
  );
});

function reply(answer: ProxyAnswer): void {
  if (process.connected) process.send?.(answer);
}

/** @returns the port of an opened way, the number of strikes, else 0 */
async function carryOut(order: ProxyOrder): Promise<number> {
  if (order.op === "open") return open(order.name, order.targets);
  const meant = order.names.flatMap((name) => ways.get(name) ?? []);
  switch (order.op) {
    case "cut":
      meant.forEach(cutAll);
      break;
    case "hold":
      for (const way of meant) update(way, { held: true });
      break;
    case "slow":
      for (const way of meant) update(way, { latencyMs: order.latencyMs, bytesPerSecond: order.bytesPerSecond });
      break;
    case "strike": {
      // Names of commands may be in either case on the wire.
      const pattern = Buffer.from(order.matching).toString("latin1").toLowerCase();
      const strike = { pattern, left: order.count, done: 0 };
      for (const way of meant) way.traffic.strike = strike;
      break;
    }
    case "strikes":
      return [...new Set(meant.map((way) => way.traffic.strike))].reduce((sum, strike) => sum + (strike?.done ?? 0), 0);
    case "refuse":
      await Promise.all(meant.map(refuse));
      break;
    case "heal":
      await Promise.all(meant.map(heal));
      break;
    case "retarget":
      for (const way of meant) way.targets = order.targets;
      break;
    default:
      throw new Error(`unknown order ${(order as ProxyOrder).op}`);
  }
  return 0;
}

async function open(name: string, targets: readonly number[]): Promise<number> {
  if (ways.has(name)) throw new Error(`there is a way "${name}" already`);
  const traffic: Traffic = { held: false, latencyMs: 0, bytesPerSecond: undefined, strike: undefined };
  const way: OpenWay = { port: 0, server: undefined, targets, turn: 0, traffic, connections: new Set() };
  ways.set(name, way);
  for (let attempt = 1; way.server === undefined; attempt += 1) {
    way.port = await freePort();
    try {
      await listen(way);
    } catch (cause) {
      if (attempt === 5) throw cause;
    }
  }
  return way.port;
}

async function listen(way: OpenWay): Promise<void> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (client) =>
    take(way, client),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: way.port, host: "127.0.0.1", backlog: BACKLOG }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  way.server = server;
}

function take(way: OpenWay, client: Socket): void {
  const turn = way.turn++ % way.targets.length;
  const inTurn = [...way.targets.slice(turn), ...way.targets.slice(0, turn)];
  const connection = proxyConnection(client, inTurn, way.traffic, () => way.connections.delete(connection));
  way.connections.add(connection);
}

function update(way: OpenWay, changes: Partial<Traffic>): void {
  Object.assign(way.traffic, changes);
  for (const connection of way.connections) connection.update();
}

function cutAll(way: OpenWay): void {
  for (const connection of way.connections) connection.cut();
}

/** Resolves when nobody can connect any more. */
async function refuse(way: OpenWay): Promise<void> {
  const { server } = way;
  way.server = undefined;
  const closed = server && new Promise((resolve) => server.close(resolve));
  cutAll(way);
  await closed;
}

async function heal(way: OpenWay): Promise<void> {
  if (way.traffic.strike) way.traffic.strike.left = 0;
  update(way, { held: false, latencyMs: 0, bytesPerSecond: undefined });
  if (way.server === undefined) await listen(way);
}
