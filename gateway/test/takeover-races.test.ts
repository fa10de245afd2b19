import { connect } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { startTestRedis, type TestServer } from "@dynamo-csms/local/test-servers";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import { encodeStationRecord } from "@dynamo-csms/proto/station-record";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basicAuth, connectStation, handshake, type Connection } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

// A Redis of its own, because its writes are held up to bring two things into the order that a race would have.
let server: TestServer;
let world: World;
let first: GatewayProcess;
let second: GatewayProcess;
beforeAll(async () => {
  server = await startTestRedis();
  world = await startWorld(server.url);
  [first, second] = await Promise.all([world.gateway(), world.gateway()]);
});
afterAll(async () => {
  await world.close();
  await server.remove();
});

const holdWritesUp = (ms: number) => world.redis.call("CLIENT", "PAUSE", String(ms), "WRITE");
const upgradeOf = (station: RegisteredStation) => ({
  "sec-websocket-protocol": "ocpp1.6",
  authorization: basicAuth(station.spelling, station.password),
});

/** Asks for an upgrade, and hangs up while its takeover waits in Redis. */
async function hangUpDuringTakeover(gateway: GatewayProcess, station: RegisteredStation): Promise<void> {
  const socket = connect(gateway.port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  await holdWritesUp(300);
  const lines = [
    `GET /ocpp/${station.spelling} HTTP/1.1`,
    "Host: x",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...Object.entries(upgradeOf(station)).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await sleep(150);
  socket.resetAndDestroy();
  await sleep(300);
}

test.each(["the same node", "another node"])(
  "a connection that is given up after its takeover (on %s) leaves no live connection without an owner",
  async (where) => {
    const station = await world.register();
    const { ws, closed }: Connection = await connectStation(first.url, station);
    const gateway = where === "the same node" ? first : second;
    // On a slow machine the hang-up may come before the takeover: then nothing has happened.
    for (let tries = 0; tries < 10 && ws.readyState === ws.OPEN; tries++) {
      await hangUpDuringTakeover(gateway, station);
      if ((await world.owner(station.identity)).node !== first.nodeId) break;
    }
    expect((await closed).code).toBe(1000);
    await until("nobody owns it", async () => (await world.owner(station.identity)).node === undefined);
  },
);

test("a takeover whose answer was lost is found out, and the former connection ends", async () => {
  const station = await world.register();
  const { closed } = await connectStation(first.url, station);
  // Longer than a command may take.
  await holdWritesUp(2_500);
  const answer = await handshake(second.url, `/ocpp/${station.spelling}`, upgradeOf(station));
  expect(answer.status).toBe(503);
  expect((await closed).code).toBe(1000);
  await until("nobody owns it", async () => (await world.owner(station.identity)).node === undefined);
  const again = await connectStation(second.url, station);
  expect((await world.owner(station.identity)).node).toBe(second.nodeId);
  again.ws.terminate();
});

test("[1.7.5] a password that is withdrawn between the check and the takeover opens nothing", async () => {
  const station = await world.register();
  const changed = world.recordOf(station.spelling, Buffer.from("another"), { rev: 2 });
  await holdWritesUp(1_000);
  const change = world.redis.hset(stationRecord(station.identity), "rev", 2, "record", encodeStationRecord(changed));
  const answer = await handshake(first.url, `/ocpp/${station.spelling}`, upgradeOf(station));
  expect(answer.status).toBe(401);
  await change;
  expect(await world.owner(station.identity)).toEqual({});
  const renewed = await connectStation(first.url, { ...station, password: Buffer.from("another") });
  renewed.ws.terminate();
});
