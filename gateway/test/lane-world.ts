import { connectionReady, connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseNatMap, parseRedisTarget, withNatMap } from "@dynamo-csms/proto/process/redis-target";
import { framePrefix, decodeEntry, type LaneFrame } from "@dynamo-csms/proto/stream-entry";
import { lane as laneKey, laneLease, LANES } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Cluster, Redis } from "ioredis";
import { pino } from "pino";
import type { AckDurability } from "../inbound/lane-durability.ts";
import type { LaneLimits } from "../inbound/lane-limits.ts";
import { createLaneRoutes } from "../inbound/lane-route.ts";
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
  /** Stops the writer and deletes what it made. @param redis the server itself; undefined: it ends with the test */
  close(redis?: Redis): Promise<void>;
}

let worlds = 0;

export async function startLaneWorld(
  redisUrl: string,
  options: { durability?: AckDurability; replicas?: number; limits?: Partial<LaneLimits>; natMap?: string } = {},
): Promise<LaneWorld> {
  const log = pino({ level: "silent" });
  let takenForDead = 0;
  let passedMs = 0;
  const nodeId = `test-${process.pid}-${++worlds}`;
  const natMap = options.natMap === undefined ? undefined : parseNatMap(options.natMap);
  const target = withNatMap(parseRedisTarget(redisUrl), natMap);
  const registry = connectRedis(target, "commands", { connectionName: nodeId, log });
  await connectionReady(registry);
  const lane = createLaneWriter({
    nodeId,
    findRoute: createLaneRoutes({ target, registry, connectionName: nodeId }),
    registry,
    durability: options.durability ?? "redis",
    replicas: options.replicas ?? 1,
    nowMs: () => performance.now() + passedMs,
    metrics: createMetrics({ version: "test", nodeId }),
    log,
    onTakenForDead: () => (takenForDead += 1),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const prefix = framePrefix("1.6", 1, "cs-ledger" as StationIdentity);
  const stored: number[] = [];
  const refused: number[] = [];
  const laneIds: string[] = [];
  const noteLane = () => {
    if (laneIds.at(-1) !== lane.laneId) laneIds.push(lane.laneId);
  };
  function told(numbers: readonly number[], isStored: boolean): void {
    (isStored ? stored : refused).push(...numbers);
    noteLane();
  }
  function newRun() {
    const numbers: number[] = [];
    return { numbers, done: (isStored: boolean) => told(numbers, isStored) };
  }
  let staged = newRun();
  let seq = 0;
  return {
    lane,
    // Two of three are staged, as plain CALLs are; what holds for the others holds for them.
    frame() {
      const number = ++seq;
      noteLane();
      const text = Buffer.from(`[2,"${number}","Heartbeat",{}]`);
      if (number % 3 === 0)
        return lane.append(prefix, 0, number, Date.now(), text, undefined, (isStored) => told([number], isStored));
      if (lane.stage(prefix, Date.now(), text) < 0) return told([number], false);
      if (!lane.tellsLast(staged.done)) staged = newRun();
      staged.numbers.push(number);
      lane.appendStaged(prefix, number, Date.now(), text.length, staged.done);
    },
    sent: () => seq,
    pass: (ms) => void (passedMs += ms),
    stored,
    refused,
    laneIds,
    takenForDead: () => takenForDead,
    async close(redis) {
      noteLane();
      lane.close();
      registry.disconnect();
      for (const laneId of redis === undefined ? [] : laneIds)
        await redis?.pipeline().del(laneKey(laneId)).del(laneLease(laneId)).hdel(LANES, laneId).exec();
    },
  };
}

/** The entries of a lane, each with its frames. */
export async function entriesOf(redis: Redis | Cluster, laneId: string): Promise<LaneFrame[][]> {
  const entries = await redis.xrangeBuffer(laneKey(laneId), "-", "+");
  return entries.map(([, fields]) => decodeEntry(fields[1] as Buffer));
}

export const numbersIn = (entries: LaneFrame[][]): number[] =>
  entries
    .flat()
    .filter(({ kind }) => kind === "inbound")
    .map(({ seq }) => seq);
