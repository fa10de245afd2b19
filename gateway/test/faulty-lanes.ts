import { setTimeout as sleep } from "node:timers/promises";
import { startFaultyRedis } from "@dynamo-csms/local/faults/servers/faulty-redis";
import type { FaultyRedis, RedisNode } from "@dynamo-csms/local/faults/contract";
import { lane as laneKey } from "@dynamo-csms/proto/redis-keys";
import { afterAll, afterEach, beforeAll } from "vitest";
import { startLaneWorld, type LaneWorld } from "./lane-world.ts";

export interface FaultyLanes {
  /** From the first `beforeAll` that follows. */
  servers(): FaultyRedis;
  /** A lane writer on them, open. */
  scene(options?: Parameters<typeof startLaneWorld>[1] & { url?: string }): Promise<LaneWorld>;
  masterOf(world: LaneWorld): Promise<RedisNode>;
}

/** Redis servers for the tests of a file, which may break them: after each one the writers are closed and the servers whole again. */
export function useFaultyLanes(topology: "cluster" | "sentinel"): FaultyLanes {
  let servers: FaultyRedis;
  const open: LaneWorld[] = [];
  beforeAll(async () => {
    servers = await startFaultyRedis(topology);
  });
  afterEach(async () => {
    for (const world of open.splice(0)) await world.close();
    for (const node of servers.nodes) {
      node.resume();
      await node.start();
    }
    await servers.healthy(60_000);
  });
  afterAll(() => servers.close());
  return {
    servers: () => servers,
    async scene({ url = servers.directUrl, ...options } = {}) {
      const world = await startLaneWorld(url, options);
      open.push(world);
      await world.lane.open();
      return world;
    },
    masterOf: (world) => servers.masterOf(laneKey(world.lane.laneId)),
  };
}

/** A load of frames until it is stopped; then all are sent. */
export function loadOn(world: LaneWorld, framesAtOnce = 20): { stop(): Promise<void> } {
  let sending = true;
  const load = (async () => {
    while (sending) {
      for (let i = 0; i < framesAtOnce; i++) world.frame();
      await sleep(1);
    }
  })();
  return {
    async stop() {
      sending = false;
      await load;
    },
  };
}

export const upTo = (n: number) => Array.from({ length: n }, (_, at) => at + 1);
