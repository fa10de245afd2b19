import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { Redis } from "ioredis";
import { pino } from "pino";
import { Registry } from "prom-client";
import { sqlOn } from "../database.ts";
import { createIntakeMetrics } from "../intake/intake-metrics.ts";
import { createLaneSupervisor, type LaneSupervisor, type SuperviseDeps } from "../intake/supervise-lanes.ts";
import { createMeterShapes } from "../transactions/meter-shapes.ts";
import { LaneDouble } from "./lane-double.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, type TestProject } from "./registered-station.ts";

/** A database and a Redis of one test file: lanes are found by SCAN, so each file has a Redis database of its own. */
export interface IntakeWorld {
  database: OwnDatabase;
  redis: Redis;
  redisUrl: string;
  project: TestProject;
  openLane(): Promise<LaneDouble>;
  startIntake(overrides?: Partial<SuperviseDeps>): LaneSupervisor;
  /** Waits until the lanes' last entries are committed: a condition of its own, not the rows that a test hopes for. */
  applied(...lanes: LaneDouble[]): Promise<void>;
  rows<Row extends object = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/**
 * @param redisDatabase 1 to 15; each test file takes another.
 * @param servers a test's own, which it may end.
 */
export async function createIntakeWorld(
  redisDatabase: number,
  servers: { postgresUrl?: string; redisUrl?: string } = {},
): Promise<IntakeWorld> {
  const database = await createOwnDatabase(servers.postgresUrl);
  const redisUrl = Object.assign(new URL(servers.redisUrl ?? (process.env["TEST_REDIS_URL"] as string)), {
    pathname: `/${redisDatabase}`,
  }).href;
  const redis = new Redis(redisUrl, { protocol: 2 });
  // Our own, and nobody else's: left over from a run that was broken off.
  await redis.flushdb();
  const project = await createProject(database.pool);
  const log = pino({ level: process.env["TEST_LOG_LEVEL"] ?? "silent" });
  const target = parseRedisTarget(redisUrl);
  const started: LaneSupervisor[] = [];
  const commands = connectRedis(target, "commands", { connectionName: "test", log });

  return {
    database,
    redis,
    redisUrl,
    project,
    async openLane() {
      const lane = new LaneDouble(redis, `lane-${randomBytes(4).toString("hex")}`);
      await lane.open();
      return lane;
    },
    startIntake(overrides = {}) {
      const supervisor: LaneSupervisor = createLaneSupervisor({
        pool: database.pool,
        redis: commands,
        openReader: () => connectRedis(target, "blocking", { connectionName: "test", log }),
        shapes: createMeterShapes(sqlOn(database.pool)),
        settings: { logHeartbeats: false },
        holder: `test-${randomBytes(4).toString("hex")}`,
        replayWindowMs: 60_000,
        lingerMs: 0,
        metrics: createIntakeMetrics(new Registry(), () => []),
        log,
        ...overrides,
      });
      started.push(supervisor);
      supervisor.start();
      return supervisor;
    },
    async applied(...lanes) {
      for (const lane of lanes) {
        for (;;) {
          const { rows } = await database.pool.query<{ offset: string }>(`select "offset" from lanes where id = $1`, [
            lane.id,
          ]);
          if (rows[0]?.offset === lane.end) break;
          await sleep(20);
        }
      }
    },
    async rows<Row extends object>(text: string, values: unknown[] = []) {
      return (await database.pool.query(text, values)).rows as Row[];
    },
    async close() {
      await Promise.all(started.map((supervisor) => supervisor.stop()));
      commands.disconnect();
      await redis.flushdb();
      redis.disconnect();
      await database.drop();
    },
  };
}

/** A condition that becomes true by itself or not at all: the test's timeout is its end. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(25);
}

/** Payload of a 1.6 StatusNotification. */
export const statusPayload = (connectorId: number, status: string) => ({ connectorId, errorCode: "NoError", status });

/** The statuses on record of a station's connectors. */
export async function statusesOf(world: IntakeWorld, stationId: string): Promise<string[]> {
  const rows = await world.rows<{ status: string }>(
    "select status from connector_status where station_id = $1 order by connector_id",
    [stationId],
  );
  return rows.map((row) => row.status);
}
