import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation } from "./registered-station.ts";

let world: IntakeWorld;
/** Lanes whose next batch breaks off when it is written and not committed. */
const breaking = new Set<string>();
beforeAll(async () => {
  world = await createIntakeWorld(15);
  world.startIntake({
    beforeCommit: async ({ laneId }) => {
      // As when the server goes away: the connection ends with the transaction open.
      if (breaking.delete(laneId))
        throw Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
    },
  });
});
afterAll(() => world.close());

const quirk = (detail: string, count: number, more: object = {}): LaneEvent => ({
  event: "quirk",
  nodeId: "node-a",
  quirk: "over_long_strings",
  mode: "accept",
  count,
  detail,
  ...more,
});

test("[H4] [1.2-encoding] what a gateway forgave, or would have, is counted once, per quirk and mode", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await lane.append(
    cp.event(quirk("no Sec-WebSocket-Protocol", 1, { quirk: "missing_subprotocol" })),
    cp.event(quirk("hex text", 1, { quirk: "credential_encoding", mode: "report_only" })),
    cp.event(quirk("first", 2)),
  );
  await lane.append(cp.event(quirk("second\u0000", 3)), cp.event(quirk("?", 1, { quirk: "of a newer gateway" })));
  await world.applied(lane);
  expect(
    await world.rows(
      "select quirk, mode, count::int, detail from quirk_counters where station_id = $1 order by quirk",
      [station.id],
    ),
  ).toEqual([
    { quirk: "credential_encoding", mode: "report_only", count: 1, detail: "hex text" },
    { quirk: "missing_subprotocol", mode: "accept", count: 1, detail: "no Sec-WebSocket-Protocol" },
    { quirk: "over_long_strings", mode: "accept", count: 5, detail: "second\uFFFD" },
  ]);
});

test("[D12] a batch that breaks off before its commit and is read again counts once", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  breaking.add(lane.id);
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await lane.append(cp.event(quirk("d", 5)), cp.event({ event: "closed", nodeId: "node-a", code: 1009, reason: "" }));
  await world.applied(lane);
  expect(breaking.size).toBe(0);
  expect(await world.rows("select count::int from quirk_counters where station_id = $1", [station.id])).toEqual([
    { count: 5 },
  ]);
  expect(await world.rows("select count::int from oversized_frames where station_id = $1", [station.id])).toEqual([
    { count: 1 },
  ]);
});

test("a count that is no number holds up nothing", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await lane.append(
    ...[Number.NaN, -4, 1e300, 2.7].map((count) => cp.event(quirk("d", count))),
    cp.call("Heartbeat", {}),
  );
  await world.applied(lane);
  expect(await world.rows("select count::int from quirk_counters where station_id = $1", [station.id])).toEqual([
    { count: 1 + 1 + 1_000_000 + 2 },
  ]);
  expect(await world.rows("select 1 from station_seen where station_id = $1", [station.id])).toHaveLength(1);
});

test("[1.5-frame-size] connections that end by an oversized frame are counted per station; others are not", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const other = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const closed = (code: number, reason: string): LaneEvent => ({ event: "closed", nodeId: "node-a", code, reason });
  for (const [epoch, code, reason] of [
    [1_700_000_000_001, 1006, "Received too big message, or other inflation error"],
    [1_700_000_000_002, 1009, "frame over the limit"],
    [1_700_000_000_003, 1000, "this one is not too big"],
  ] as const)
    await lane.append(connectionOf(station, "1.6", epoch).event(closed(code, reason)));
  await lane.append(connectionOf(other, "1.6", 1_700_000_000_001).event(closed(1006, "")));
  await world.applied(lane);
  expect(
    await world.rows("select station_id::text, count::int from oversized_frames where station_id = any($1::bigint[])", [
      [station.id, other.id],
    ]),
  ).toEqual([{ station_id: station.id, count: 2 }]);
});

test("the message log has the node of each frame, and how long its answer took", async () => {
  const station = await registerStation(world.database.pool, world.project, "1.6");
  const lane = await world.openLane();
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  const asked = cp.call("Authorize", { idTag: "T" }, { answer: { idTagInfo: { status: "Invalid" } } });
  await lane.append(
    { ...asked, answeredAfterMs: 37 },
    cp.call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Available" }),
  );
  await world.applied(lane);
  expect(
    await world.rows("select node_id, latency_ms from message_log where station_id = $1 order by message_log.seq", [
      station.id,
    ]),
  ).toEqual([
    { node_id: lane.nodeId, latency_ms: 37 },
    { node_id: lane.nodeId, latency_ms: null },
  ]);
});
