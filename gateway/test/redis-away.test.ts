import { setTimeout as sleep } from "node:timers/promises";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { basicAuth, connectStation, handshake } from "./fake-station.ts";
import { startWorld, until, type World } from "./world.ts";

// A Redis that forgets everything when it is killed: the worst that a node has to make up for.
let server: TestServer;
let world: World;
beforeEach(async () => {
  server = await startTestRedis();
  world = await startWorld(server.url);
  world.redis.on("error", () => undefined); // killed on purpose
});
afterEach(async () => {
  await world.close();
  await server.remove();
});

const statusOf = async (url: string) => (await fetch(url)).status;

test("without Redis the node lives and keeps its stations, lets nobody in, and answers when Redis is back", async () => {
  const gateway = await world.gateway();
  const [connected, leaving, newcomer] = [await world.register(), await world.register(), await world.register()];
  const staying = await connectStation(gateway.url, connected);
  const gone = await connectStation(gateway.url, leaving);
  const owner = await world.owner(connected.identity);
  await server.kill();
  await until("it is not ready", async () => (await statusOf(`${gateway.internalUrl}/readyz`)) === 503);
  expect(await statusOf(`${gateway.internalUrl}/livez`)).toBe(200);
  const refused = await handshake(gateway.url, `/ocpp/${newcomer.spelling}`, {
    "sec-websocket-protocol": "ocpp1.6",
    authorization: basicAuth(newcomer.spelling, newcomer.password),
  });
  expect(refused).toMatchObject({
    status: 503,
    headers: { "retry-after": expect.stringMatching(/^([5-9]|1\d|20)$/) },
    body: expect.stringContaining("Nothing can be stored"),
  });

  let answered = false;
  const answer = staying.call("m1", "Heartbeat", {}).then((frame) => {
    answered = true;
    return frame;
  });
  gone.ws.close(1001);
  await gone.closed;
  await sleep(200);
  expect(answered).toBe(false);

  await server.restart();
  expect(await answer).toMatchObject([3, "m1", {}]);
  expect(staying.ws.readyState).toBe(staying.ws.OPEN);
  await until("it is ready", async () => (await statusOf(`${gateway.internalUrl}/readyz`)) === 200);
  await until("the owner is asserted", async () => (await world.owner(connected.identity)).node === gateway.nodeId);
  expect(await world.owner(connected.identity)).toEqual(owner);
  expect((await world.owner(leaving.identity)).node).toBeUndefined();
  await until("all of it is in a lane", async () =>
    (await world.stored(leaving.identity)).some(({ text }) => text.includes('"closed"')),
  );
  const whatOf = ({ kind, text }: { kind: string; text: string }) =>
    kind === "event" ? (JSON.parse(text) as { event: string }).event : kind;
  await until("what stayed connected is told", async () => (await world.stored(connected.identity)).length === 3);
  const kept = await world.stored(connected.identity);
  // The lane began anew: whoever read it may have taken the node for dead.
  expect(kept.map((frame) => [whatOf(frame), frame.seq])).toEqual([
    ["opened", 1],
    ["inbound", 2],
    ["stillOpen", 3],
  ]);
  expect(new Set(kept.map(({ epoch }) => epoch))).toEqual(new Set([Number(owner.epoch)]));
  expect((await world.stored(leaving.identity)).map(whatOf)).toEqual(["opened", "closed"]);
  staying.ws.terminate();
});

test("a node that starts before Redis waits for it", async () => {
  await server.kill();
  const starting = world.gateway();
  await sleep(500);
  await server.restart();
  const gateway = await starting;
  const station = await world.register();
  const { ws, call } = await connectStation(gateway.url, station);
  expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  ws.terminate();
});

test("a stop without Redis ends at its deadline, and does not claim that all was handed over", async () => {
  const gateway = await world.gateway({ DRAIN_DEADLINE_MS: "500ms", SHUTDOWN_DEADLINE_MS: "2s" });
  const station = await world.register();
  const { closed } = await connectStation(gateway.url, station);
  await server.kill();
  gateway.signal("SIGTERM");
  expect((await closed).code).toBe(1012);
  expect(await gateway.ended).toBe(1);
  await server.restart();
});
