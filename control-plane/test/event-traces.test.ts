import { randomUUID } from "node:crypto";
import { connectRedis, connectionReady } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { EVENT_TRACE_SECONDS, eventTrace } from "@dynamo-csms/proto/redis-keys";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventTraces } from "../webhooks/event-traces.ts";

const log = pino({ level: "silent" });
const connect = () =>
  connectRedis(parseRedisTarget(process.env["TEST_REDIS_URL"] as string), "commands", { connectionName: "test", log });
const redis = connect();
const traces = createEventTraces({ redis, log });
beforeAll(() => connectionReady(redis));
afterAll(() => redis.disconnect());

const event = (id: string, chargePoint: unknown, atMs?: number) => ({
  id,
  data: { charge_point_id: chargePoint },
  receivedAt: atMs === undefined ? undefined : new Date(atMs),
});
const frame = (identity: string, receivedAtMs: number, traceparent: string, only = false) => ({
  identity,
  receivedAtMs,
  traceparent,
  only,
});

test("an event belongs to the frame that came when what it tells of came, else to the only one that it can be of", async () => {
  const [same, unknown, only, others, none] = Array.from({ length: 5 }, () => `evt_${randomUUID()}`) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const mine = [frame("cp_1", 1, "first"), frame("cp_1", 2, "second"), frame("cp_3", 3, "third", true)];
  traces.keep(
    [
      event(same, "CP_1", 2),
      event(unknown, "cp_1", 7),
      event(only, "cp_3", 7),
      event(others, "cp_2", 2),
      event(none, 1),
    ],
    mine,
  );
  expect(await Promise.all([same, unknown, only, others, none].map((id) => traces.find(id)))).toEqual([
    "second",
    undefined,
    "third",
    undefined,
    undefined,
  ]);
  const ttl = await redis.ttl(eventTrace(same));
  expect(ttl > 0 && ttl <= EVENT_TRACE_SECONDS).toBe(true);
  // Recorded once more, out of the lane.
  traces.keep([event(same, "cp_1")], [frame("cp_1", 9, "later", true)]);
  expect(await traces.find(same)).toBe("second");
});

test("a Redis that is away costs a trace, and nothing else", async () => {
  const away = connect();
  away.disconnect();
  const without = createEventTraces({ redis: away, log });
  without.keep([event("evt_x", "cp_1")], [frame("cp_1", 1, "trace", true)]);
  expect(await without.find("evt_x")).toBeUndefined();
});
