import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { NODE_LEASE_PATTERN, nodeIdOf } from "@dynamo-csms/proto/redis-keys";
import type { Sql } from "../database.ts";
import { keysLike } from "./redis-masters.ts";

/** A gateway process: one that holds its lease, or one that is gone and whose connections are still open on record. */
export interface NodeOverview {
  nodeId: string;
  lives: boolean;
  /** Which lane it writes, as its lease says. */
  laneId: string | null;
  startedAt: Date | null;
  /** Open connections as the intake has them; a node that is gone has them until its lane is drained. */
  connections: number;
}

/** All gateway nodes, by name. Rejects when Redis or Postgres does not answer. */
export async function overviewNodes({ sql, redis }: { sql: Sql; redis: RedisConnection }): Promise<NodeOverview[]> {
  const counts = await sql.query<{ node_id: string; n: number }>(
    `select node_id, count(*)::int as n from station_connections where closed_at is null group by node_id`,
  );
  const connections = new Map(counts.map(({ node_id, n }) => [node_id, n]));
  const keys = await keysLike(redis, NODE_LEASE_PATTERN);
  const leases = new Map(await Promise.all(keys.map(async (key) => [nodeIdOf(key), await redis.get(key)] as const)));
  return [...new Set([...leases.keys(), ...connections.keys()])].sort().map((nodeId) => {
    const lease = leases.get(nodeId) ?? null;
    return { nodeId, lives: lease !== null, ...read(lease), connections: connections.get(nodeId) ?? 0 };
  });
}

function read(lease: string | null): { laneId: string | null; startedAt: Date | null } {
  try {
    const { laneId, startedAtMs } = JSON.parse(lease ?? "{}") as { laneId?: unknown; startedAtMs?: unknown };
    return {
      laneId: typeof laneId === "string" ? laneId : null,
      startedAt: typeof startedAtMs === "number" ? new Date(startedAtMs) : null,
    };
  } catch {
    return { laneId: null, startedAt: null };
  }
}
