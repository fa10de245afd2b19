import { setTimeout as sleep } from "node:timers/promises";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCutProxy } from "./cut-proxy.ts";
import { entriesOf, startLaneWorld } from "./lane-world.ts";
import { until } from "./world.ts";

let server: TestServer;
let redis: Redis;
beforeAll(async () => {
  server = await startTestRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.remove();
});

// Broken once on purpose: with memory given back as soon as an entry is sent (retained-entries.ts, takeUnsent) entries with parts
// of others stand in the lane.
test("[I1] memory that is used again changes nothing of what was stored, while connections break and Redis reads slowly", async () => {
  const proxy = await startCutProxy(server.port);
  // What is acknowledged is dropped at once: its memory is used again while all around it is still on its way.
  const world = await startLaneWorld(`redis://127.0.0.1:${proxy.port}`, { limits: { tailBytes: 0 } });
  await world.lane.open();
  for (let round = 0; round < 12; round++) {
    if (round % 3 === 1) proxy.swallowAnswers();
    if (round % 3 === 2) await redis.call("CLIENT", "PAUSE", "50", "WRITE");
    for (let turn = 0; turn < 10; turn++) {
      // Some 50 KiB: far above what is copied once more on its way.
      for (let n = 0; n < 1_200; n++) world.frame();
      await sleep(turn % 5 === 4 ? 2 : 0);
    }
    if (round % 3 === 1) proxy.cut();
    await until("all stored", () => world.stored.length === world.sent());
  }
  const frames = (await entriesOf(redis, world.lane.laneId)).flat().filter(({ kind }) => kind === "inbound");
  expect(world.laneIds).toHaveLength(1);
  expect(frames.map(({ seq, identity, text }) => `${seq} ${identity} ${text}`)).toEqual(
    Array.from({ length: world.sent() }, (_, at) => `${at + 1} cs-ledger [2,"${at + 1}","Heartbeat",{}]`),
  );
  await world.close(redis);
  await proxy.close();
});
