import { Redis } from "ioredis";
import type { Cluster, ProgramName } from "./cluster.ts";
import type { Evidence } from "./ledger-check.ts";

const PROGRAMS: readonly ProgramName[] = ["decisions", "intake", "jobs", "api", "gateway1", "gateway2"];

export interface RedisTap {
  /** Every command that any process has sent, with its arguments: streams, jobs, keys, pub/sub, whatever became of it since. */
  commands: string[];
  close(): void;
}

/** Listens in on Redis from now on. */
export async function tapRedis(cluster: Cluster): Promise<RedisTap> {
  const redis = new Redis(cluster.redisUrl, { protocol: 2 });
  const monitor = await redis.monitor();
  const commands: string[] = [];
  monitor.on("monitor", (_time: string, args: string[]) => commands.push(args.join(" ")));
  return {
    commands,
    close() {
      monitor.disconnect();
      redis.disconnect();
    },
  };
}

/** Every place in which a secret must not lie open, by name: logs, tables, what Redis holds, metrics. */
export async function everyPlace(cluster: Cluster, evidence: Evidence): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  for (const name of PROGRAMS) {
    const log = cluster.log(name);
    places.set(`the log of ${name}`, log);
    places.set(`the metrics of ${name}`, await (await fetch(`${internalUrl(log)}/metrics`)).text());
  }
  const tables = await evidence.sql<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'",
  );
  for (const { name } of tables) {
    const rows = await evidence.sql<{ line: string }>(`select to_jsonb(t)::text as line from "${name}" t`);
    places.set(`the table ${name}`, rows.map(({ line }) => line).join("\n"));
  }
  const redis = new Redis(cluster.redisUrl, { protocol: 2 });
  for (const key of await redis.keys("*")) places.set(`the key ${key}`, await valueOf(redis, key));
  redis.disconnect();
  return places;
}

function internalUrl(log: string): string {
  const ready = log.split("\n").findLast((line) => line.includes('"msg":"ready"'));
  if (ready === undefined) throw new Error("a process is not ready");
  return `http://127.0.0.1:${(JSON.parse(ready) as { internalPort: number }).internalPort}`;
}

async function valueOf(redis: Redis, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case "string":
      return (await redis.get(key)) ?? "";
    case "hash":
      return JSON.stringify(await redis.hgetall(key));
    case "list":
      return (await redis.lrange(key, "0", "-1")).join("\n");
    case "set":
      return (await redis.smembers(key)).join("\n");
    case "zset":
      return (await redis.zrange(key, "0", "-1")).join("\n");
    case "stream":
      return JSON.stringify(await redis.xrange(key, "-", "+"));
    default:
      return "";
  }
}

/** How a secret might stand somewhere: as it is, and in the encodings that this product and its protocols use. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Within a longer text base64 depends on what comes before: what is sure of each of the three positions.
  const within = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    return encoded.slice(shift === 0 ? 0 : 4, -4);
  });
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    ...within,
    ...within.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
  ];
  return [...new Set(forms)].filter((form) => form.length >= 12);
}
