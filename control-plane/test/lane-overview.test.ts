// What operators are shown of lanes and nodes, and what is measured of everything that waits.

import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { lane as laneKey, laneLease } from "@dynamo-csms/proto/redis-keys";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { createBacklogMetrics, readOnce } from "../operations/backlog-metrics.ts";
import { acknowledgeGaps, listGaps } from "../operations/lane-gaps.ts";
import { overviewLanes } from "../operations/lane-overview.ts";
import { overviewNodes } from "../operations/node-overview.ts";
import { createIntakeWorld, type IntakeWorld, statusPayload, until } from "./intake-world.ts";
import { connectionOf, type LaneDouble } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

let world: IntakeWorld;
beforeAll(async () => void (world = await createIntakeWorld(11)));
afterAll(() => world.close());

const EPOCH = 1_700_000_000_000;
const log = pino({ level: "silent" });
const deps = () => ({ sql: sqlOn(world.database.pool), redis: world.redis });
const shown = async (lane: LaneDouble) => (await overviewLanes(deps())).find(({ laneId }) => laneId === lane.id);
const opened = (lane: LaneDouble): LaneEvent => ({
  event: "opened",
  nodeId: lane.nodeId,
  remoteAddress: "192.0.2.7",
  subprotocol: "ocpp1.6",
  notes: [],
});

test("[A1] the lane of a gateway that died is drained, told, and removed, and its connections end with it", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", EPOCH);
  await lane.append(cp.event(opened(lane)));
  await lane.append(cp.call("StatusNotification", statusPayload(1, "Charging"), { atMs: Date.now() - 5_000 }));
  await lane.die();
  expect(await shown(lane)).toMatchObject({
    status: "unheld",
    waitingEntries: 2,
    holder: null,
    leased: false,
    nodeLives: false,
    note: expect.stringContaining("no intake process drains it"),
  });
  const first = world.startIntake();
  await world.applied(lane);
  await until(async () => (await shown(lane))?.status === "ending");
  expect(await shown(lane)).toMatchObject({ waitingEntries: 0, oldestWaitingMs: 0, holder: expect.any(String) });
  expect(await overviewNodes(deps())).toContainEqual({
    nodeId: lane.nodeId,
    lives: false,
    laneId: null,
    startedAt: null,
    connections: 1,
  });
  await first.stop();
  const second = world.startIntake({ replayWindowMs: 0 });
  await until(async () => (await shown(lane)) === undefined);
  await second.stop();
  expect(await world.redis.exists(laneKey(lane.id))).toBe(0);
  expect(await overviewNodes(deps())).toEqual([]);
  const [finished] = await overviewLanes(deps(), { finished: 1 });
  expect(finished).toMatchObject({ laneId: lane.id, status: "finished", finishedAt: expect.any(Date) });
});

test("a lane that does not come to its end says why", async () => {
  const lane = await world.openLane();
  await lane.append(
    connectionOf(await registerStation(world.database.pool, world.project, "1.6"), "1.6", EPOCH).call("Heartbeat", {}),
  );
  expect(await shown(lane)).toMatchObject({ leased: true, nodeLives: true });
  // Its writer has gone on with another lane.
  await world.redis.del(laneLease(lane.id));
  const intake = world.startIntake();
  await world.applied(lane);
  await world.rows("update lanes set moved_at = now() - interval '2 hours' where id = $1", [lane.id]);
  expect(await shown(lane)).toMatchObject({ status: "stuck", note: expect.stringContaining("lease stands") });
  await lane.die();
  await intake.stop();
  expect(await shown(lane)).toMatchObject({
    status: "stuck",
    note: expect.stringContaining("no intake process holds it"),
  });
  await world.redis.del(laneKey(lane.id));
  expect(await shown(lane)).toMatchObject({ status: "lost", lastEntry: null });
  await world.rows("update lanes set finished_at = now() where id = $1", [lane.id]);
});

test("an entry of a newer release, and a Redis that is away, are told as what they are", async () => {
  const lane = await world.openLane();
  await lane.appendBytes(Buffer.from([99, 0, 0, 0, 0, 0, 0]));
  expect(await shown(lane)).toMatchObject({ status: "unreadable", note: expect.stringContaining("newer release") });
  const away = connectRedis(parseRedisTarget("redis://127.0.0.1:1"), "commands", { connectionName: "test", log });
  await world.rows("insert into lanes (id, node_id) values ($1, '') on conflict do nothing", [lane.id]);
  const [seen] = await overviewLanes({ sql: sqlOn(world.database.pool), redis: away });
  away.disconnect();
  expect(seen).toMatchObject({ laneId: lane.id, status: "unreachable" });
  await world.rows("update lanes set finished_at = now() where id = $1", [lane.id]);
  await world.redis.del(laneKey(lane.id));
});

test("an intake that can do nothing of what there is to do is not healthy", async () => {
  const intake = world.startIntake();
  await until(async () => intake.healthy());
  const unreadable = await world.openLane();
  await unreadable.appendBytes(Buffer.from([99, 0, 0, 0, 0, 0, 0]));
  await until(async () => !intake.healthy());
  const other = await world.openLane();
  await other.append(
    connectionOf(await registerStation(world.database.pool, world.project, "1.6"), "1.6", EPOCH).call("Heartbeat", {}),
  );
  await world.applied(other);
  await until(async () => intake.healthy());
  await intake.stop();
  await world.rows("update lanes set finished_at = now() where id = any($1)", [[unreadable.id, other.id]]);
  await world.redis.del(laneKey(unreadable.id), laneKey(other.id));
});

test("gaps are shown until somebody has seen to them", async () => {
  const sql = sqlOn(world.database.pool);
  await world.rows(
    "insert into lane_gaps (lane_id, from_entry, to_entry) values ('gone', '5-0', '6-0'), ('gone', '9-0', '9-0')",
  );
  expect(await listGaps(sql, { all: false, limit: 10 })).toMatchObject([{ fromEntry: "5-0" }, { fromEntry: "9-0" }]);
  expect(await acknowledgeGaps(sql, "gone", { by: "cli:test", note: "compared" })).toBe(2);
  expect(await acknowledgeGaps(sql, "gone", { by: "cli:test", note: "again" })).toBe(0);
  expect(await listGaps(sql, { all: false, limit: 10 })).toEqual([]);
  expect(await listGaps(sql, { all: true, limit: 1 })).toMatchObject([
    { note: "compared", acknowledgedBy: "cli:test" },
  ]);
});

test("the numbers of everything that waits are there while they can be read, and absent while they cannot", async () => {
  const lane = await world.openLane();
  const station = await registerStation(world.database.pool, world.project, "1.6");
  await lane.append(connectionOf(station, "1.6", EPOCH).call("Heartbeat", {}, { atMs: Date.now() - 90_000 }));
  await world.rows(
    `insert into dead_letters (lane_id, entry_id, frame_index, identity, frame, reason) values ('x', '1-0', 0, 'x', '{}', 'test')`,
  );
  await world.rows(
    `insert into mails (id, dedupe_key, recipient, template, data, next_attempt_at) values ('m', 'm', 'x', 'x', '{}', now() - interval '10 minutes')`,
  );
  const registry = new Registry();
  const metrics = createBacklogMetrics(registry);
  const value = async (name: string, label = "") => {
    const line = (await registry.metrics()).split("\n").find((text) => text.startsWith(`${name}${label} `));
    return line === undefined ? undefined : Number(line.split(" ").at(-1));
  };
  expect(await value("dynamo_dead_letters_open")).toBeUndefined();
  await readOnce({ ...deps(), metrics, log });
  expect(await value("dynamo_dead_letters_open")).toBe(1);
  expect(await value("dynamo_lane_gaps_open")).toBe(0);
  expect(await value("dynamo_lanes", '{status="unheld"}')).toBe(1);
  expect(await value("dynamo_lane_waiting_entries")).toBe(1);
  expect(await value("dynamo_lane_oldest_waiting_seconds")).toBeGreaterThanOrEqual(90);
  expect(await value("dynamo_backlog_late_seconds", '{work="mail"}')).toBeGreaterThanOrEqual(600);
  expect(await value("dynamo_clock_difference_seconds", '{server="redis"}')).toBeLessThan(2);
  expect(await value("dynamo_redis_append_only")).toBeDefined();
  const readAt = await value("dynamo_backlogs_read_timestamp_seconds");
  expect(readAt).toBeGreaterThan(0);

  const away = connectRedis(parseRedisTarget("redis://127.0.0.1:1"), "commands", { connectionName: "test", log });
  await readOnce({ ...deps(), redis: away, metrics, log });
  away.disconnect();
  expect(await value("dynamo_dead_letters_open")).toBe(1);
  expect(await value("dynamo_clock_difference_seconds", '{server="redis"}')).toBeUndefined();
  expect(await value("dynamo_redis_append_only")).toBeUndefined();
  expect(await value("dynamo_backlogs_read_timestamp_seconds")).toBe(readAt);
});
