import type { EnvironmentReader } from "./environment.ts";

/** An address of a Redis server or a Sentinel. */
export interface RedisAddress {
  host: string;
  port: number;
}

/** Under which address a server is reached that names itself by another one (`host:port`), as behind a proxy. */
export type NatMap = Readonly<Record<string, RedisAddress>>;

/** Where Redis is: the form of REDIS_URL is the same for both halves. */
export type RedisTarget =
  | { kind: "single"; url: string }
  | { kind: "cluster"; nodes: string[]; natMap?: NatMap }
  | {
      kind: "sentinel";
      sentinels: RedisAddress[];
      name: string;
      username?: string;
      password?: string;
      db: number;
      natMap?: NatMap;
    };

/**
 * Reads REDIS_URL: `redis://host[:port][/db]` (or rediss://), several of them separated by commas for Redis Cluster,
 * or `redis+sentinel://[user:password@]host:port,host:port/name[/db]`. Throws with the reason when it is none.
 */
export function parseRedisTarget(text: string): RedisTarget {
  const sentinel = /^redis\+sentinel:\/\/(?:([^@/]*)@)?([^/]+)\/([^/]+)(?:\/(\d+))?$/.exec(text);
  if (sentinel !== null) return sentinelTarget(sentinel);
  const urls = text.split(",").map((part) => part.trim());
  for (const url of urls) {
    if (!URL.canParse(url) || !["redis:", "rediss:"].includes(new URL(url).protocol))
      throw new Error(
        "want redis://host:port, several separated by commas for a cluster, or redis+sentinel://host:port,…/name",
      );
  }
  return urls.length === 1 ? { kind: "single", url: urls[0] as string } : { kind: "cluster", nodes: urls };
}

/**
 * Reads REDIS_NAT_MAP: `named-host:port=reachable-host:port`, separated by commas; IPv6 addresses in brackets or not.
 * Throws with the reason when it is none.
 */
export function parseNatMap(text: string): NatMap {
  const natMap: Record<string, RedisAddress> = {};
  for (const pair of text.split(",")) {
    const [named, reached, ...further] = pair.split("=").map((side) => parseAddress(side.trim()));
    if (named === undefined || reached === undefined || further.length > 0)
      throw new Error("want named-host:port=reachable-host:port, separated by commas");
    natMap[addressText(named)] = reached;
  }
  return natMap;
}

/**
 * Reads REDIS_URL and REDIS_NAT_MAP as every process does. Undefined, and the reason among the reader's mistakes, when they cannot
 * be read or do not fit together: a single Redis names no other servers, so that a map beside it was meant for another URL.
 */
export function readRedisTarget(read: EnvironmentReader): RedisTarget | undefined {
  const target = read.required("REDIS_URL", read.secret("REDIS_URL"), parseRedisTarget, "redis://host:port");
  const natMap = read.parsed("REDIS_NAT_MAP", read.text("REDIS_NAT_MAP"), parseNatMap);
  if (target?.kind === "single" && natMap !== undefined)
    read.mistakes.push(
      "REDIS_NAT_MAP: REDIS_URL names a single server: name a cluster or Sentinels there, or unset this",
    );
  return target && withNatMap(target, natMap);
}

/** The target with the addresses of its servers translated. A single Redis names no others: there is nothing to translate. */
export function withNatMap(target: RedisTarget, natMap: NatMap | undefined): RedisTarget {
  return natMap === undefined || target.kind === "single" ? target : { ...target, natMap };
}

/** As servers write their address: IPv6 without brackets. */
export const addressText = ({ host, port }: RedisAddress): string => `${host}:${port}`;

function parseAddress(text: string): RedisAddress | undefined {
  const parts = /^\[?([^\s[\]]+?)\]?:(\d{1,5})$/.exec(text);
  const port = Number(parts?.[2]);
  return parts === null || port < 1 || port > 65_535 ? undefined : { host: parts[1] as string, port };
}

function sentinelTarget(parts: RegExpExecArray): RedisTarget {
  const [, credentials, hosts, name, db] = parts;
  const sentinels = (hosts as string).split(",").map((host) => {
    const url = new URL(`redis://${host}`);
    return { host: url.hostname, port: url.port === "" ? 26_379 : Number(url.port) };
  });
  const [username = "", password = ""] = (credentials ?? "").split(":").map(decodeURIComponent);
  return {
    kind: "sentinel",
    sentinels,
    name: name as string,
    db: Number(db ?? 0),
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
  };
}
