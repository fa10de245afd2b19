import { Redis } from "ioredis";
import { addressText, type RedisTarget } from "./redis-target.ts";

export type SentinelTarget = Extract<RedisTarget, { kind: "sentinel" }>;

/** What Sentinels tell of each failover: "name old-host old-port new-host new-port". */
const SWITCHED = "+switch-master";

/**
 * Has the connection leave its server when a Sentinel tells of another primary: one that is cut off from the Sentinels, and
 * not from us, goes on taking writes that nobody will ever see. (The client's own detector writes to the console when a
 * Sentinel is away.) Listens while the connection is up, and ends with it.
 */
export function followSentinels(
  connection: Redis,
  target: SentinelTarget,
  retryStrategy: (times: number) => number,
): void {
  let ears: Redis[] = [];
  const told = (text: string) => {
    const [name, , , host = "", port] = text.split(" ");
    if (name !== target.name) return;
    const named = { host, port: Number(port) };
    const primary = target.natMap?.[addressText(named)] ?? named;
    const { remoteAddress, remotePort } = connection.stream;
    // Each Sentinel tells, and one of them told before.
    if (remoteAddress !== primary.host || remotePort !== primary.port) connection.disconnect(true);
  };
  connection.on("ready", () => {
    ears = target.sentinels.map((sentinel) => listen(sentinel, told, retryStrategy));
  });
  connection.on("close", () => {
    for (const ear of ears.splice(0)) ear.disconnect();
  });
}

function listen(
  sentinel: { host: string; port: number },
  told: (text: string) => void,
  retryStrategy: (times: number) => number,
): Redis {
  const ear = new Redis({ ...sentinel, retryStrategy, maxRetriesPerRequest: null, protocol: 2, keepAlive: 10_000 });
  ear.on("error", () => {}); // it is tried again for ever, and the others tell meanwhile
  ear.on("message", (_channel: string, text: string) => told(text));
  ear.subscribe(SWITCHED).catch(() => {});
  return ear;
}
