// What needs no Redis: everything else is in test/lane-writer.test.ts.

import { framePrefix, MAX_ENTRY_AGE_MS } from "@dynamo-csms/proto/stream-entry";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Redis } from "ioredis";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import { createLaneWriter } from "./lane-writer.ts";

const PREFIX = framePrefix("1.6", 7, "cs-1" as StationIdentity);
const FRAME = Buffer.from('[2,"1","Heartbeat",{}]');
const ATMS = Date.UTC(2026, 0, 1);

/** A writer whose Redis is away from the beginning. */
const unopened = (waitingBytes: number) =>
  createLaneWriter({
    nodeId: "node-1",
    findRoute: () => Promise.reject(new Error("away")),
    registry: {} as Redis,
    durability: "redis",
    replicas: 1,
    nowMs: () => 0,
    metrics: createMetrics({ version: "test", nodeId: "node-1" }),
    log: pino({ level: "silent" }),
    limits: { waitingBytes },
  });

test("[I9] no more is staged than may wait", () => {
  const lane = unopened(200);
  const told: boolean[] = [];
  const done = (stored: boolean) => void told.push(stored);
  let staged = 0;
  while (staged < 100 && lane.stage(PREFIX, ATMS, FRAME) >= 0) {
    lane.appendStaged(PREFIX, ++staged, ATMS, FRAME.length, done);
  }
  expect(staged).toBe(4);
  // Nor appended: the same bound.
  lane.append(PREFIX, 0, 5, ATMS, FRAME, undefined, done);
  expect(told).toEqual([false]);
});

test("nothing is staged behind the end of the lane", () => {
  const lane = unopened(1_000);
  expect(lane.stage(PREFIX, ATMS, FRAME)).toBeGreaterThan(0);
  lane.close();
  expect(lane.stage(PREFIX, ATMS, FRAME)).toBe(-1);
});

test("a frame whose time does not fit into the entry begins the next one", () => {
  const lane = unopened(1_000);
  const done = () => undefined;
  lane.stage(PREFIX, ATMS, FRAME);
  lane.appendStaged(PREFIX, 1, ATMS, FRAME.length, done);
  expect(lane.tellsLast(done)).toBe(true);
  lane.stage(PREFIX, ATMS + 1_000, FRAME);
  expect(lane.tellsLast(done)).toBe(true);
  const first = lane.stage(PREFIX, ATMS + MAX_ENTRY_AGE_MS, FRAME);
  expect(lane.tellsLast(done)).toBe(false);
  // As the first frame of all stood.
  expect(first).toBe(unopened(1_000).stage(PREFIX, ATMS, FRAME));
});
