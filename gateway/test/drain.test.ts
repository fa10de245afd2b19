import { COMMAND_FORMAT, encodeNodeMessage, type NodeMessage } from "@dynamo-csms/proto/command-message";
import { lane, nodeCommands, nodeLease } from "@dynamo-csms/proto/redis-keys";
import { decodeEntry } from "@dynamo-csms/proto/stream-entry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basicAuth, connectStation, handshake } from "./fake-station.ts";
import { startWorld, until, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const statusOf = async (url: string) => (await fetch(url)).status;

test("[1.5-close-codes] [A4] [A5] a stop waits for open calls, and for those alone; refuses newcomers, closes with 1012, seals the lane and ends with 0", async () => {
  const gateway = await world.gateway();
  const { laneId } = JSON.parse((await world.redis.get(nodeLease(gateway.nodeId))) ?? "{}") as { laneId: string };
  const [asked, idle] = [await world.register(), await world.register()];
  const [busy, quiet] = [await connectStation(gateway.url, asked), await connectStation(gateway.url, idle)];
  expect(await statusOf(`${gateway.internalUrl}/readyz`)).toBe(200);

  const call = new Promise<unknown[]>((resolve) =>
    busy.ws.on("message", (data: Buffer) => resolve(JSON.parse(data.toString()) as unknown[])),
  );
  const owner = await world.owner(asked.identity);
  await world.redis.spublish(
    nodeCommands(gateway.nodeId),
    encodeNodeMessage({
      v: COMMAND_FORMAT,
      kind: "command",
      commandId: "cmd_drain",
      identity: asked.identity,
      epoch: Number(owner.epoch),
      version: "1.6",
      action: "ClearCache",
      payload: "{}",
      callTimeoutMs: 30_000,
      deadlineAtMs: Date.now() + 30_000,
      askerId: "test",
    }),
  );
  expect(await call).toEqual([2, "cmd_drain", "ClearCache", {}]);

  gateway.signal("SIGTERM");
  gateway.signal("SIGTERM");
  await until("it is not ready", async () => (await statusOf(`${gateway.internalUrl}/readyz`)) === 503);
  expect(await statusOf(`${gateway.internalUrl}/livez`)).toBe(200);
  const newcomer = await handshake(gateway.url, `/ocpp/${idle.spelling}`, {
    "sec-websocket-protocol": "ocpp1.6",
    authorization: basicAuth(idle.spelling, idle.password),
  });
  expect(newcomer).toMatchObject({ status: 503, headers: { "retry-after": expect.stringMatching(/^[1-5]$/) } });
  await until("the refusal is in its list", async () => (await world.attempts(idle)).length === 2);
  expect((await world.attempts(idle))[0]).toMatchObject({ outcome: "service_unavailable" });
  expect((await quiet.closed).code).toBe(1012);
  expect(busy.ws.readyState).toBe(busy.ws.OPEN);

  busy.ws.send(JSON.stringify([3, "cmd_drain", { status: "Accepted" }]));
  expect((await busy.closed).code).toBe(1012);
  expect(await gateway.ended).toBe(0);

  const entries = await world.redis.xrangeBuffer(lane(laneId), "-", "+");
  const frames = entries.flatMap(([, fields]) => decodeEntry(fields[1] as Buffer));
  expect(JSON.parse(frames.at(-1)?.text ?? "")).toEqual({ event: "sealed", nodeId: gateway.nodeId });
  const eventsOf = (identity: string) =>
    frames
      .filter((frame) => frame.identity === identity && frame.kind === "event")
      .map(({ text }) => JSON.parse(text) as Record<string, unknown>);
  expect(eventsOf(asked.identity)).toMatchObject([
    { event: "opened" },
    { event: "commandSent", commandId: "cmd_drain" },
    { event: "commandOutcome", commandId: "cmd_drain", outcome: { state: "accepted" } },
    { event: "closed", code: 1012 },
  ]);
  expect(eventsOf(idle.identity)).toMatchObject([{ event: "opened" }, { event: "closed", code: 1012 }]);
  expect(await world.redis.exists(nodeLease(gateway.nodeId))).toBe(0);
  expect((await world.owner(asked.identity)).node).toBeUndefined();
  expect((await world.owner(idle.identity)).node).toBeUndefined();
});

test("[A4] connections are closed at the pace that is set: while one reconnects, the others are still served", async () => {
  const gateway = await world.gateway({ DRAIN_CLOSES_PER_SECOND: "1", DRAIN_DEADLINE_MS: "60s" });
  const stations = await Promise.all(Array.from({ length: 4 }, () => world.register()));
  const connections = await Promise.all(stations.map((station) => connectStation(gateway.url, station)));
  gateway.signal("SIGTERM");
  expect((await Promise.race(connections.map(({ closed }) => closed))).code).toBe(1012);
  const open = connections.filter(({ ws }) => ws.readyState === ws.OPEN);
  expect(open.length).toBeGreaterThanOrEqual(2);
  gateway.signal("SIGKILL");
  await gateway.ended;
});

test("[A5] a command that comes while a node stops is carried out on a connection that it still has", async () => {
  const gateway = await world.gateway({ DRAIN_CLOSES_PER_SECOND: "1", DRAIN_DEADLINE_MS: "60s" });
  const stations = await Promise.all(Array.from({ length: 8 }, () => world.register()));
  const connections = await Promise.all(stations.map((station) => connectStation(gateway.url, station)));
  gateway.signal("SIGTERM");
  await Promise.race(connections.map(({ closed }) => closed));
  const at = connections.findIndex(({ ws }) => ws.readyState === ws.OPEN);
  const [{ ws, closed }, { identity }] = [connections[at], stations[at]] as [
    (typeof connections)[number],
    (typeof stations)[number],
  ];
  ws.on("message", () => ws.send(JSON.stringify([3, "cmd_late", { status: "Accepted" }])));
  const { epoch } = await world.owner(identity);
  await world.redis.spublish(
    nodeCommands(gateway.nodeId),
    encodeNodeMessage({
      v: COMMAND_FORMAT,
      kind: "command",
      commandId: "cmd_late",
      identity,
      epoch: Number(epoch),
      version: "1.6",
      action: "ClearCache",
      payload: "{}",
      callTimeoutMs: 30_000,
      deadlineAtMs: Date.now() + 30_000,
      askerId: "test",
    }),
  );
  expect((await closed).code).toBe(1012);
  gateway.signal("SIGKILL");
  await gateway.ended;
  const outcomes = (await world.stored(identity))
    .map(({ text }) => text)
    .filter((text) => text.includes("commandOutcome"));
  expect(outcomes.map((text) => JSON.parse(text) as unknown)).toMatchObject([
    { commandId: "cmd_late", outcome: { state: "accepted" } },
  ]);
});

test("[A5] a station that never answers holds the stop up no longer than half the drain deadline", async () => {
  const gateway = await world.gateway({ DRAIN_DEADLINE_MS: "2s" });
  const station = await world.register();
  const { ws, closed } = await connectStation(gateway.url, station);
  const called = new Promise((resolve) => ws.once("message", resolve));
  const { epoch } = await world.owner(station.identity);
  await world.redis.spublish(
    nodeCommands(gateway.nodeId),
    encodeNodeMessage({
      v: COMMAND_FORMAT,
      kind: "command",
      commandId: "cmd_mute",
      identity: station.identity,
      epoch: Number(epoch),
      version: "1.6",
      action: "ClearCache",
      payload: "{}",
      callTimeoutMs: 30_000,
      deadlineAtMs: Date.now() + 30_000,
      askerId: "test",
    }),
  );
  await called;
  gateway.signal("SIGINT");
  expect((await closed).code).toBe(1012);
  expect(await gateway.ended).toBe(0);
  const outcomes = (await world.stored(station.identity))
    .map(({ text }) => text)
    .filter((text) => text.includes("commandOutcome"));
  expect(outcomes.map((text) => JSON.parse(text) as unknown)).toMatchObject([
    { commandId: "cmd_mute", outcome: { state: "unknown" } },
  ]);
});

test("a configuration that cannot work ends the start with every mistake named", async () => {
  await expect(world.gateway({ REDIS_URL: "", STATION_PEPPERS: "nonsense", GATEWAY_PORT: "x" })).rejects.toThrow(
    /GATEWAY_PORT(.|\n)*REDIS_URL(.|\n)*STATION_PEPPERS/,
  );
});

test("a node that is told to drain ends as on SIGTERM; a station that is told to go may come back at once", async () => {
  const gateway = await world.gateway();
  const registered = await world.register();
  const first = await connectStation(gateway.url, registered);
  const { epoch } = await world.owner(registered.identity);
  const tell = (message: NodeMessage) => world.redis.spublish(nodeCommands(gateway.nodeId), encodeNodeMessage(message));
  const { identity } = registered;
  const close = { v: COMMAND_FORMAT, kind: "close", identity, reason: "operator" } as const;
  // An older wish is not for this connection.
  await tell({ ...close, belowEpoch: Number(epoch) });
  await tell({ ...close, belowEpoch: Number(epoch) + 1 });
  expect(await first.closed).toMatchObject({ code: 1012, reason: "disconnected by an operator" });
  const second = await connectStation(gateway.url, registered);
  await tell({ v: COMMAND_FORMAT, kind: "drain" });
  expect((await second.closed).code).toBe(1012);
  expect(await gateway.ended).toBe(0);
  expect(await world.redis.exists(nodeLease(gateway.nodeId))).toBe(0);
});
