import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { framePrefix, decodeEntry, type LaneFrame } from "@dynamo-csms/proto/stream-entry";
import { lane as laneKey, laneLease, LANES } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Redis } from "ioredis";
import { pino } from "pino";
import type { AckDurability } from "../inbound/lane-durability.ts";
import type { LaneLimits } from "../inbound/lane-limits.ts";
import { createLaneWriter, type LaneWriter } from "../inbound/lane-writer.ts";
import { createMetrics } from "../metrics.ts";

/** A lane writer on a Redis, and the ledger of a station: which of its frames were told to be stored, and which refused. */
export interface LaneWorld {
  lane: LaneWriter;
  /** Sends a frame, as of a station; its number is its text. */
  frame(): void;
  sent(): number;
  stored: number[];
  refused: number[];
  /** Every lane that this writer ever had, in order. */
  laneIds: string[];
  /** Lets this much time pass for the writer, at once. */
  pass(ms: number): void;
  /** How often the writer said that it may have been taken for dead. */
  takenForDead(): number;
  /** Stops the writer and deletes what it made. @param redis the server itself, where the writer goes through a proxy */
  close(redis: Redis): Promise<void>;
}

let worlds = 0;

export async function startLaneWorld(
  redisUrl: string,
  options: { durability?: AckDurability; limits?: Partial<LaneLimits> } = {},
): Promise<LaneWorld> {
  const log = pino({ level: "silent" });
  let takenForDead = 0;
  let passedMs = 0;
  const nodeId = `test-${process.pid}-${++worlds}`;
  const lane = createLaneWriter({
    nodeId,
    connect: () => connectRedis({ kind: "single", url: redisUrl }, "lane", { connectionName: nodeId, log }),
    durability: options.durability ?? "redis",
    nowMs: () => performance.now() + passedMs,
    metrics: createMetrics({ version: "test", nodeId }),
    log,
    onTakenForDead: () => (takenForDead += 1),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const prefix = framePrefix("1.6", 1, "cs-ledger" as StationIdentity);
  const stored: number[] = [];
  const refused: number[] = [];
  const laneIds: string[] = [lane.laneId];
  let seq = 0;
  return {
    lane,
    frame() {
      const number = ++seq;
      lane.append(
        prefix,
        0,
        number,
        Date.now(),
        Buffer.from(`[2,"${number}","Heartbeat",{}]`),
        undefined,
        (isStored) => {
          (isStored ? stored : refused).push(number);
          if (laneIds.at(-1) !== lane.laneId) laneIds.push(lane.laneId);
        },
      );
    },
    sent: () => seq,
    pass: (ms) => void (passedMs += ms),
    stored,
    refused,
    laneIds,
    takenForDead: () => takenForDead,
    async close(redis) {
      lane.close();
      for (const laneId of laneIds)
        await redis.pipeline().del(laneKey(laneId)).del(laneLease(laneId)).hdel(LANES, laneId).exec();
    },
  };
}

/** The entries of a lane, each with its frames. */
export async function entriesOf(redis: Redis, laneId: string): Promise<LaneFrame[][]> {
  const entries = await redis.xrangeBuffer(laneKey(laneId), "-", "+");
  return entries.map(([, fields]) => decodeEntry(fields[1] as Buffer));
}

export const numbersIn = (entries: LaneFrame[][]): number[] =>
  entries
    .flat()
    .filter(({ kind }) => kind === "inbound")
    .map(({ seq }) => seq);
