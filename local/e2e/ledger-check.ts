import { LANE_PATTERN, laneIdOf } from "@dynamo-csms/proto/redis-keys";
import { Redis } from "ioredis";
import pg from "pg";
import type { Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import type { LedgerStation } from "./ledger-station.ts";

/** Looks into the stores behind the API: what was promised is judged there. */
export interface Evidence {
  sql<Row>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Every lane's committed offset is its last entry, or the lane is drained and gone. */
  intakeIdle(): Promise<void>;
  close(): Promise<void>;
}

export function openEvidence(cluster: Cluster): Evidence {
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 2 });
  pool.on("error", () => {});
  const redis = new Redis(cluster.redisUrl);
  const sql = async <Row>(text: string, values: unknown[] = []) => (await pool.query(text, values)).rows as Row[];
  return {
    sql,
    intakeIdle: async () => {
      await eventually("the intake has applied every lane", async () => {
        for (const key of await redis.keys(LANE_PATTERN)) {
          const info = (await redis.xinfo("STREAM", key)) as unknown[];
          const last = String(info[info.indexOf("last-generated-id") + 1]);
          const [row] = await sql<{ offset: string }>('select "offset" from lanes where id = $1', [laneIdOf(key)]);
          if (row?.offset !== last) return false;
        }
        return true;
      });
    },
    close: async () => {
      await pool.end();
      await redis.quit();
    },
  };
}

/**
 * Compares a station's ledger with the message log: every acknowledged CALL is there exactly once (heartbeats are
 * coalesced and not logged). Returns what is wrong, empty when nothing is.
 */
export async function missingOrDoubled(
  evidence: Evidence,
  identity: string,
  station: LedgerStation,
): Promise<string[]> {
  const rows = await evidence.sql<{ message_id: string; n: number }>(
    `select l.message_id, count(*)::int as n from message_log l join stations s on s.id = l.station_id
      where s.charge_point_id = $1 and l.direction = 0 group by 1`,
    [identity],
  );
  const stored = new Map(rows.map((row) => [row.message_id, row.n]));
  return station.ledger
    .filter((entry) => entry.answer !== undefined && entry.action !== "Heartbeat")
    .flatMap((entry) => {
      const times = stored.get(entry.messageId) ?? 0;
      // A CALL that was sent again after a lost answer was received as often as it was sent; its effect is judged elsewhere.
      return times >= 1 && times <= entry.sent
        ? []
        : [`${entry.action} ${entry.messageId}: stored ${times} times, sent ${entry.sent}`];
    });
}
