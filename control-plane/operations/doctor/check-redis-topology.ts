import type { RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { type Cluster, Redis } from "ioredis";
import { readInfo } from "../redis-info.ts";
import { type Finding, Findings } from "./finding.ts";
import { reasonOf } from "./run-checks.ts";

const AWAY = "redis-away";

/** Whether every slot has a master that answers. */
export async function checkCluster(cluster: Cluster): Promise<Finding[]> {
  const say = new Findings("redis cluster");
  const answers = await Promise.allSettled(cluster.nodes("all").map((node) => node.cluster("INFO")));
  const answered = answers.filter((answer) => answer.status === "fulfilled");
  const silent = answers.length - answered.length;
  if (silent > 0)
    say.problem(
      `${silent} of ${answers.length} nodes do not answer`,
      "Start them, or make them reachable from here.",
      AWAY,
    );
  const info = readInfo(String(answered[0]?.value ?? ""));
  const state = info.get("cluster_state");
  const failing = Number(info.get("cluster_slots_fail") ?? 0) + Number(info.get("cluster_slots_pfail") ?? 0);
  const assigned = Number(info.get("cluster_slots_assigned") ?? 0);
  if (state !== "ok" || failing > 0 || assigned < 16_384)
    say.problem(
      `cluster_state ${String(state)}, ${assigned} of 16384 slots assigned, ${failing} failing`,
      "Bring the masters of the failing slots back, or promote their replicas (CLUSTER FAILOVER).",
      AWAY,
    );
  else say.ok(`cluster_state ok, ${cluster.nodes("master").length} masters`);
  return say.all;
}

/** Whether enough Sentinels agree to fail over. */
export async function checkSentinels(target: Extract<RedisTarget, { kind: "sentinel" }>): Promise<Finding[]> {
  const say = new Findings("redis sentinels");
  const answers = await Promise.all(
    target.sentinels.map(async ({ host, port }) => {
      const at = `${host}:${port}`;
      const { host: reached, port: reachedPort } = target.natMap?.[at] ?? { host, port };
      const sentinel = new Redis({
        host: reached,
        port: reachedPort,
        lazyConnect: true,
        connectTimeout: 3_000,
        commandTimeout: 3_000,
        maxRetriesPerRequest: 0,
        retryStrategy: () => null,
      });
      sentinel.on("error", () => {});
      try {
        await sentinel.connect();
        await sentinel.call("SENTINEL", "CKQUORUM", target.name);
        return undefined;
      } catch (fault) {
        return `${at}: ${reasonOf(fault)}`;
      } finally {
        sentinel.disconnect();
      }
    }),
  );
  const refused = answers.filter((answer) => answer !== undefined);
  if (refused.length === answers.length)
    say.problem(`none of them sees a quorum (${refused.join("; ")})`, "Start them: no failover happens without.", AWAY);
  else if (refused.length > 0) say.warning(refused.join("; "), "Start it, or make it reachable from here.", AWAY);
  else say.ok(`${answers.length} of ${answers.length} see a quorum`);
  return say.all;
}
