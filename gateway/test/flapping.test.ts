import { stationFlaps } from "@dynamo-csms/proto/redis-keys";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStationOwnership, type Stay, type TakeOutcome } from "../ownership/station-ownership.ts";
import { basicAuth, connectStation, handshake } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

let world: World;
let first: GatewayProcess;
let second: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  const settings = { FLAPPING_CONNECTIONS: "3" };
  [first, second] = await Promise.all([world.gateway(settings), world.gateway(settings)]);
});
afterAll(() => world.close());

const ask = (gateway: GatewayProcess, station: RegisteredStation) =>
  handshake(gateway.url, `/ocpp/${station.spelling}`, {
    "sec-websocket-protocol": "ocpp1.6",
    authorization: basicAuth(station.spelling, station.password),
  });
const flapsOf = async ({ identity }: RegisteredStation) =>
  Number((await world.redis.hget(stationFlaps(identity), "times")) ?? 0);

/** Connects and hangs up, until that is counted. */
async function flap(gateway: GatewayProcess, station: RegisteredStation): Promise<void> {
  const before = await flapsOf(station);
  const { ws } = await connectStation(gateway.url, station);
  ws.terminate();
  await until("it is counted", async () => (await flapsOf(station)) > before);
}
/** Time passes for this station. */
const wait = ({ identity }: RegisteredStation, seconds: number) =>
  world.redis.hincrby(stationFlaps(identity), "endedAt", -seconds * 1_000);

test("[B11] a station that connects and leaves again and again is told when to come back, on every node, and later each time", async () => {
  const [station, neighbour] = [await world.register(), await world.register()];
  for (let n = 0; n < 4; n++) await flap(n % 2 === 0 ? first : second, station);
  for (const gateway of [first, second]) {
    const answer = await ask(gateway, station);
    expect(answer.status).toBe(429);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(5);
    expect(Number(answer.headers["retry-after"])).toBeLessThanOrEqual(15);
    expect(answer.body).toContain("again and again");
  }
  expect((await ask(first, neighbour)).status).toBe(101);
  await until("its operator is told", async () => (await world.attempts(station))[0]?.outcome === "flapping");
  expect((await world.attempts(station))[0]?.detail).toContain("4 connections in a row");

  await wait(station, 15);
  await flap(second, station);
  const later = Number((await ask(first, station)).headers["retry-after"]);
  expect(later).toBeGreaterThan(15);
  expect(later).toBeLessThanOrEqual(30);
});

test("[B11] it is let in when its time is over, and what is refused meanwhile does not make it longer", async () => {
  const station = await world.register();
  for (let n = 0; n < 4; n++) await flap(first, station);
  for (let n = 0; n < 5; n++) expect((await ask(first, station)).status).toBe(429);
  await wait(station, 15);
  const { ws, call } = await connectStation(second.url, station);
  expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  ws.terminate();
});

test("[A4] a station is not held up for what we did: nodes that stop, one after the other, and connections that were replaced", async () => {
  const station = await world.register();
  for (let n = 0; n < 4; n++) {
    const node = await world.gateway({ FLAPPING_CONNECTIONS: "3", DRAIN_DEADLINE_MS: "1s" });
    const { closed } = await connectStation(node.url, station);
    node.signal("SIGTERM");
    expect((await closed).code).toBe(1012);
    await node.ended;
  }
  for (let n = 0; n < 3; n++) await connectStation(first.url, station);
  expect(await flapsOf(station)).toBe(0);
  const { ws } = await connectStation(second.url, station);
  ws.terminate();
});

test("[A1] a station that had to wait before is let in at once when the node that it came back to dies", async () => {
  const station = await world.register();
  for (let n = 0; n < 6; n++) {
    await wait(station, 1_000);
    await flap(first, station);
  }
  await wait(station, 60);
  const doomed = await world.gateway({ FLAPPING_CONNECTIONS: "3" });
  await connectStation(doomed.url, station);
  doomed.signal("SIGKILL");
  await doomed.ended;
  const { ws } = await connectStation(second.url, station);
  ws.terminate();
});

test("[B11] the wait doubles up to three minutes; a connection that lasts ends it, and so does time", async () => {
  const station = await world.register();
  const ownership = createStationOwnership({
    redis: world.redis,
    nodeId: "node-test",
    atOnce: 64,
    flappingConnections: 3,
  });
  const newcomer = { attempt: "test", admittedRev: 1, remoteAddress: "192.0.2.1", deadEpoch: 0 };
  const take = () => ownership.take(station.identity, newcomer);
  const stay = async (how: Stay): Promise<TakeOutcome> => {
    await wait(station, 1_000);
    const taken = await take();
    if (taken.kind !== "taken") throw new Error(`not let in: ${taken.kind}`);
    await ownership.release(station.identity, taken.takeover.epoch, how);
    return await take();
  };
  const waits: number[] = [];
  for (let n = 0; n < 10; n++) {
    const next = await stay("short");
    // A busy machine may take some of it away before it is asked.
    waits.push(next.kind === "flapping" ? Math.ceil(next.waitMs / 15_000) * 15 : 0);
    if (next.kind === "taken") await ownership.release(station.identity, next.takeover.epoch, "neither");
  }
  expect(waits).toEqual([0, 0, 0, 15, 30, 60, 120, 180, 180, 180]);
  expect(await world.redis.pttl(stationFlaps(station.identity))).toBeLessThanOrEqual(600_000);

  const after = await stay("lasting");
  expect(after.kind).toBe("taken");
  expect(await world.redis.exists(stationFlaps(station.identity))).toBe(0);
});
