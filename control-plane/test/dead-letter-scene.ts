import { randomBytes } from "node:crypto";
import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import { pino } from "pino";
import { Registry } from "prom-client";
import { sqlOn } from "../database.ts";
import { applyBatch } from "../intake/apply-batch.ts";
import { createIntakeMetrics } from "../intake/intake-metrics.ts";
import { takeBatch } from "../intake/take-batch.ts";
import { createMeterShapes } from "../transactions/meter-shapes.ts";
import type { OwnDatabase } from "./own-database.ts";
import { encodeEntry } from "@dynamo-csms/proto/stream-entry";

/** Takes frames in as the intake does, an entry each, out of a lane of its own. @returns the lane's id. */
export async function takeIn(pool: OwnDatabase["pool"], frames: readonly (LaneFrame | Buffer)[]): Promise<string> {
  const laneId = `lane-${randomBytes(4).toString("hex")}`;
  await pool.query("insert into lanes (id, node_id) values ($1, 'node')", [laneId]);
  const entries = frames.map((frame, index) => ({
    id: `${index + 1}-0`,
    bytes: Buffer.isBuffer(frame) ? frame : encodeEntry([frame]),
  }));
  const { batch } = takeBatch(laneId, "0-0", entries);
  await applyBatch(batch, {
    pool,
    shapes: createMeterShapes(sqlOn(pool)),
    settings: { logHeartbeats: false },
    metrics: createIntakeMetrics(new Registry(), () => []),
    log: pino({ level: "silent" }),
  });
  return laneId;
}
