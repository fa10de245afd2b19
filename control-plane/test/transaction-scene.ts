import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import type { Redis } from "ioredis";
import { pino } from "pino";
import { expect } from "vitest";
import { type IdTokenEntry, putIdTokens } from "../authorization/id-tokens.ts";
import { inTransaction, sqlOn } from "../database.ts";
import { decideCall } from "../decisions/decide-call.ts";
import { collectEffects } from "../intake/collect-effects.ts";
import { Effects } from "../intake/effects.ts";
import { writeEffects } from "../intake/write-effects.ts";
import { findStations } from "../stations/known-station.ts";
import { createMeterShapes } from "../transactions/meter-shapes.ts";
import { createOwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

export type TransactionScene = Awaited<ReturnType<typeof startTransactionScene>>;

/** A database and what a gateway has to do with it: questions to decisions, frames for the intake. */
export async function startTransactionScene() {
  const database = await createOwnDatabase();
  const { pool } = database;
  const project = await createProject(pool);
  const log = pino({ level: process.env["TEST_LOG_LEVEL"] ?? "silent" });
  const target = parseRedisTarget(process.env["TEST_REDIS_URL"] as string);
  const redis = connectRedis(target, "commands", { connectionName: "test", log });
  const shapes = createMeterShapes(sqlOn(pool));
  let seq = 0;

  return {
    pool,
    project,
    redis: redis as Redis,
    sql: sqlOn(pool),
    newProject: () => createProject(pool),
    newStation: (version: OcppVersion, of: TestProject = project) => registerStation(pool, of, version),
    async token(token: string, settings: Partial<IdTokenEntry> = {}, of: TestProject = project): Promise<void> {
      const entry = { type: null, status: "Accepted", expiresAt: null, groupToken: null, note: null } as const;
      await putIdTokens(sqlOn(pool), of.orgId, [{ token, maxActiveTransactions: 1, ...entry, ...settings }]);
    },
    /** The answer's payload, checked against the schema that the station will check it with. */
    async decide(
      station: TestStation,
      version: OcppVersion,
      action: string,
      payload: object | string,
      nodeId = "node-a",
    ): Promise<Record<string, unknown>> {
      seq += 1;
      const answer = await decideCall(
        {
          identity: station.identity,
          epoch: 1_700_000_000_000,
          seq,
          receivedAtMs: Date.now(),
          ocppVersion: version,
          // Always the same: a message id is no proof of a repetition (F6), so nothing may depend on it.
          messageId: "1",
          action,
          payload: typeof payload === "string" ? payload : JSON.stringify(payload),
          nodeId,
        },
        { pool, redis, heartbeatIntervalSeconds: 300, authCacheSeconds: 600, log },
      );
      if (answer.$case !== "result") throw new Error(`answered ${JSON.stringify(answer)}`);
      const result = JSON.parse(answer.value.payload) as Record<string, unknown>;
      expect(validatePayload(version, action, "response", result)).toBeUndefined();
      return result;
    },
    /** What the intake makes of a batch of frames, in one transaction. */
    file: (...frames: LaneFrame[]) =>
      inTransaction(pool, async (sql) => {
        const stations = await findStations(
          sql,
          frames.map(({ identity }) => identity),
        );
        const effects = new Effects();
        for (const frame of frames) collectEffects(frame, stations, { logHeartbeats: false }, effects);
        await writeEffects(sql, effects, { shapes, laneId: "lane-test", log });
      }),
    async rows<Row extends object = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<Row[]> {
      return (await pool.query(text, values)).rows as Row[];
    },
    /** Columns of a station's transactions, in the order in which they came. */
    transactionsOf: async (station: TestStation, columns: string): Promise<Record<string, unknown>[]> =>
      (await pool.query(`select ${columns} from transactions where station_id = $1 order by id`, [station.id])).rows,
    /** Why messages of a station were set aside, in their order. */
    async quarantined(station: TestStation): Promise<string[]> {
      const { rows } = await pool.query<{ reason: string }>(
        "select reason from quarantine where station_id = $1 order by epoch, seq",
        [station.id],
      );
      return rows.map(({ reason }) => reason);
    },
    /** Types of the events told of a station's sessions, in their order. */
    async told(station: TestStation): Promise<string[]> {
      const { rows } = await pool.query<{ type: string }>(
        "select type from events where data->>'charge_point_id' = $1 and type like 'session.%' order by recorded_at, type desc",
        [station.chargePointId],
      );
      return rows.map(({ type }) => type);
    },
    async close(): Promise<void> {
      redis.disconnect();
      await database.drop();
    },
  };
}
