import { randomBytes } from "node:crypto";
import { encodeLaneEvent } from "@dynamo-csms/proto/lane-event";
import { ENTRY_FIELD, encodeEntry } from "@dynamo-csms/proto/stream-entry";
import { LANES, LEASE_MS, lane, laneLease } from "@dynamo-csms/proto/redis-keys";
import type { Cluster, Redis } from "ioredis";

/** A lane of this process. A process has one at a time, and a new one after its start or when Redis lost it. */
export interface LaneIdentity {
  readonly laneId: string;
  readonly key: string;
  readonly startedAtMs: number;
}

/**
 * A lane id that no process ever had: node, time, and 32 random bits for clocks that were set back.
 * @param fits of the keys that come up, at random, the first that fits is taken: on a cluster those of one server
 */
export function newLaneIdentity(nodeId: string, fits: (key: string) => boolean): LaneIdentity {
  const startedAtMs = Date.now();
  for (;;) {
    const laneId = `${nodeId}-${startedAtMs.toString(36)}-${randomBytes(4).toString("hex")}`;
    if (fits(lane(laneId))) return { laneId, key: lane(laneId), startedAtMs };
  }
}

/**
 * Makes the lane findable. Before the first entry and with each renewal (LEASE_MS / 3): a registry that Redis lost comes
 * back by itself. Rejects when Redis takes no writes.
 */
export async function registerLane(registry: Redis | Cluster, nodeId: string, lane: LaneIdentity): Promise<void> {
  await registry.hset(LANES, lane.laneId, JSON.stringify({ nodeId, startedAtMs: lane.startedAtMs }));
}

/** Shows that the lane's writer lives. Rejects when the lane's server takes no writes, or has it no more. */
export async function renewLease(connection: Redis, nodeId: string, lane: LaneIdentity): Promise<void> {
  await connection.set(laneLease(lane.laneId), nodeId, "PX", LEASE_MS);
}

/** Number of the entry that every lane begins with. */
export const FIRST_ENTRY = 1;

/**
 * Writes a new lane's first entry, `laneOpened`. So a lane without a stream is one that was lost or finished, and nothing
 * ever makes a stream under the id of a lane that others have done with.
 */
export async function beginLane(connection: Redis, nodeId: string, lane: LaneIdentity, seq: number): Promise<void> {
  const text = encodeLaneEvent({ event: "laneOpened", nodeId });
  const facts = { identity: "", version: "1.6", epoch: 0, seq, receivedAtMs: Date.now(), flagged: false } as const;
  const entry = encodeEntry([{ kind: "event", text, ...facts }]);
  await connection.call("XADD", lane.key, `${FIRST_ENTRY}-0`, ENTRY_FIELD, entry);
}

/** Where a lane stands in Redis, as far as its writer needs it to go on. */
export interface LaneState {
  /** Number of the last id that the stream ever had, trimmed or not. */
  lastId: number;
  /** Which of the asked ids are in the stream. */
  present: ReadonlySet<number>;
}

/**
 * Reads where the lane stands. Undefined: there is no such stream.
 * @param unknown the ids whose fate the writer does not know. Trimming keeps a replay window, so what was written a
 * moment ago is still there.
 */
export async function readLaneState(
  connection: Redis,
  key: string,
  unknown: { first: number; last: number } | undefined,
): Promise<LaneState | undefined> {
  let info: unknown;
  try {
    info = await connection.xinfo("STREAM", key);
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes("no such key")) return undefined;
    throw cause;
  }
  // Field names and values in turn (RESP2).
  const fields = info as unknown[];
  const lastId = numberOf(String(fields[fields.indexOf("last-generated-id") + 1]));
  if (unknown === undefined) return { lastId, present: new Set() };
  const entries = (await connection.xrange(key, `${unknown.first}-0`, `${unknown.last}-0`)) as unknown as [
    string,
    unknown,
  ][];
  return { lastId, present: new Set(entries.map(([id]) => numberOf(id))) };
}

const numberOf = (id: string) => Number(id.slice(0, id.indexOf("-")));
