/** Where Redis is: the form of REDIS_URL is the same for both halves. */
export type RedisTarget =
  | { kind: "single"; url: string }
  | { kind: "cluster"; nodes: string[] }
  | {
      kind: "sentinel";
      sentinels: { host: string; port: number }[];
      name: string;
      username?: string;
      password?: string;
      db: number;
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
