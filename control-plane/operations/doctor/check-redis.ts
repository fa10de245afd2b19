import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { Cluster, type Redis } from "ioredis";
import { checkCluster, checkSentinels } from "./check-redis-topology.ts";
import { type Check, type Finding, Findings } from "./finding.ts";
import { readInfo, replicasIn } from "../redis-info.ts";
import { reasonOf } from "./run-checks.ts";

/** What gateways promise with an acknowledgement: ACK_DURABILITY. */
type AckDurability = "redis" | "replica" | "aof";

interface RedisDeps {
  target: RedisTarget;
  redis: RedisConnection;
  /** Rejects when the connection does not come up. */
  ready(): Promise<void>;
  durability: AckDurability;
}

const AWAY = "redis-away";
const MEMORY = "redis-memory";
const DURABILITY = "redis-durability";

/** The servers that hold the lanes: what they are, whether they keep what they acknowledge, how full they are. */
export function redisCheck(deps: RedisDeps): Check {
  return {
    name: "redis",
    runbook: AWAY,
    async run() {
      const { redis } = deps;
      const found = deps.target.kind === "sentinel" ? await checkSentinels(deps.target) : [];
      try {
        await deps.ready();
      } catch (fault) {
        // Of a cluster some nodes may answer: they say what is wrong with the others.
        if (!(redis instanceof Cluster) || redis.nodes("all").length === 0) return [...found, absent(reasonOf(fault))];
      }
      if (!(redis instanceof Cluster)) return [...found, ...(await checkMaster(redis, "", deps))];
      found.push(...(await checkCluster(redis)));
      for (const master of redis.nodes("master")) {
        const { host = "", port = "" } = master.options;
        found.push(...(await checkMaster(master, ` ${host}:${port}`, deps)));
      }
      return found;
    },
  };
}

const absent = (seen: string): Finding => ({
  check: "redis",
  status: "problem",
  seen,
  remedy: "Start it, or make it reachable from here; nothing is answered meanwhile.",
  runbook: AWAY,
});

async function checkMaster(server: Redis, which: string, { durability }: RedisDeps): Promise<Finding[]> {
  const say = new Findings(`redis${which}`);
  let info: ReadonlyMap<string, string>;
  try {
    info = readInfo(await server.info());
  } catch (fault) {
    say.problem(`does not answer: ${reasonOf(fault)}`, "Start it, or make it reachable from here.", AWAY);
    return say.all;
  }
  const get = (name: string) => info.get(name) ?? "";
  const number = (name: string) => Number(info.get(name) ?? 0);
  const version = get("redis_version");
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const product = info.has("valkey_version") ? `Valkey ${get("valkey_version")}` : `Redis ${version}`;
  if (major < 7) say.problem(`is ${product}`, "Run Redis 7.0 or newer, or Valkey.");
  else say.ok(`${product}, ${get("role")}, up for ${Math.floor(number("uptime_in_seconds") / 60)} min`);
  if (get("role") !== "master")
    say.problem("is a replica, which takes no writes", "REDIS_URL must lead to the primary.", AWAY);
  if (get("loading") === "1") say.problem("is still loading its data", "Wait for it; how long, its log tells.", AWAY);
  await checkPersistence(say, server, { get, major, minor, durability });
  checkMemory(say, { get, number });
  checkReplicas(say, info, durability);
  return say.all;
}

async function checkPersistence(
  say: Findings,
  server: Redis,
  about: { get(name: string): string; major: number; minor: number; durability: AckDurability },
): Promise<void> {
  const { get, durability } = about;
  if (get("aof_enabled") !== "1")
    say.problem(
      "appendonly is off: a restart forgets messages that were answered",
      "CONFIG SET appendonly yes, and the same in its configuration file.",
      DURABILITY,
    );
  else {
    if (get("aof_last_write_status") !== "ok")
      say.problem("its last write to the append-only file failed", "Make room on its disk.", DURABILITY);
    if (get("aof_last_bgrewrite_status") !== "ok")
      say.warning(
        "its last rewrite of the append-only file failed",
        "Look into its log; mostly it is memory or disk.",
        DURABILITY,
      );
    const policy = await setting(server, "appendfsync");
    if (policy === undefined)
      say.warning(
        "CONFIG is not allowed: appendfsync cannot be seen",
        "Check that it is everysec or always.",
        DURABILITY,
      );
    else if (policy === "no")
      say.warning("appendfsync no: a power cut may lose half a minute", "Set everysec or always.", DURABILITY);
    else say.ok(`append-only file on, appendfsync ${policy}`);
    const waits = about.major > 7 || (about.major === 7 && about.minor >= 2);
    if (durability === "aof" && !waits && policy !== "always")
      say.problem(
        "ACK_DURABILITY=aof, and this server has no WAITAOF and does not run with appendfsync always",
        "Set appendfsync always, or run Redis 7.2 or newer: gateways do not start otherwise.",
        DURABILITY,
      );
  }
  if (get("rdb_last_bgsave_status") !== "ok")
    say.warning("its last snapshot failed", "Look into its log; with snapshots on it may refuse writes.", DURABILITY);
}

function checkMemory(say: Findings, info: { get(name: string): string; number(name: string): number }): void {
  const { get, number } = info;
  const [used, most] = [number("used_memory"), number("maxmemory")];
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MB`;
  const policy = get("maxmemory_policy");
  if (policy !== "noeviction")
    say.problem(
      `maxmemory-policy is ${policy}: when it is full it throws answered messages away`,
      "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file.",
      MEMORY,
    );
  if (number("evicted_keys") > 0)
    say.problem(`has evicted ${number("evicted_keys")} keys`, "Messages may be lost: see `cli lanes gaps`.", MEMORY);
  if (most === 0)
    say.warning(
      `uses ${megabytes(used)}, and has no maxmemory`,
      "Set one below the machine's memory: else the system ends Redis before it refuses writes.",
      MEMORY,
    );
  else {
    const seen = `uses ${Math.round((100 * used) / most)} % of ${megabytes(most)}`;
    if (used > 0.9 * most) say.problem(seen, "Find out why lanes are not trimmed, and give it memory.", MEMORY);
    else if (used > 0.75 * most) say.warning(seen, "Find out why lanes are not trimmed, or give it memory.", MEMORY);
    else say.ok(seen);
  }
}

function checkReplicas(say: Findings, info: ReadonlyMap<string, string>, durability: AckDurability): void {
  const replicas = replicasIn(info);
  const online = replicas.filter(({ state }) => state === "online");
  const slow = online.filter(({ lagSeconds }) => lagSeconds > 10);
  if (durability === "replica" && online.length === 0)
    say.problem(
      "ACK_DURABILITY=replica, and no replica is in sync: no message is answered",
      "Bring a replica back, or change ACK_DURABILITY.",
      DURABILITY,
    );
  else if (replicas.length > online.length)
    say.warning(
      `${replicas.length - online.length} of ${replicas.length} replicas are not in sync`,
      "Look into their logs.",
      DURABILITY,
    );
  else say.ok(online.length === 0 ? "has no replica" : `${online.length} replicas in sync`);
  if (slow.length > 0)
    say.warning(
      `${slow.length} replicas have not answered for more than 10 s`,
      "Look at the network between them.",
      DURABILITY,
    );
}

/** Undefined: CONFIG is not allowed here. */
async function setting(server: Redis, name: string): Promise<string | undefined> {
  try {
    return ((await server.config("GET", name)) as string[])[1];
  } catch {
    return undefined;
  }
}
