import { once } from "node:events";
import { nodeLease } from "@dynamo-csms/proto/redis-keys";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectStation } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type World } from "./world.ts";

let world: World;
let first: GatewayProcess;
let second: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  [first, second] = await Promise.all([world.gateway(), world.gateway()]);
});
afterAll(() => world.close());

const events = async (identity: string) =>
  (await world.stored(identity))
    .filter(({ kind }) => kind === "event")
    .map(({ text, epoch, seq }) => ({ ...(JSON.parse(text) as { event: string; code?: number }), epoch, seq }));

/** Cuts a gateway's connections to Redis of one purpose, as a network would. */
async function cutRedis(gateway: GatewayProcess, purpose: "commands" | "subscriber"): Promise<void> {
  const clients = (await world.redis.client("LIST")) as string;
  for (const line of clients.split("\n").filter((each) => each.includes(`name=${gateway.nodeId}:${purpose}`)))
    await world.redis.client("KILL", "ID", Number(/^id=(\d+)/.exec(line)?.[1]));
}

describe.each(["the same node", "another node"])("a newer connection on %s", (where) => {
  // Broken once on purpose: with RELEASE blind to the epoch (station-ownership.ts) it fails: the late close leaves no
  // owner; with the former owner not told (tellFormer): the old socket stays open.
  test("[I4] [1.7.1] [1.7.2] [1.7.3] takes the station over; the old one is closed, and its close changes nothing", async () => {
    const station = await world.register();
    const next = where === "the same node" ? first : second;
    const old = await connectStation(first.url, station);
    const before = await world.owner(station.identity);
    const young = await connectStation(next.url, station);
    expect((await old.closed).code).toBe(1000);

    const after = await world.owner(station.identity);
    expect(after.node).toBe(next.nodeId);
    expect(Number(after.epoch)).toBeGreaterThan(Number(before.epoch));
    await until("the old connection's end is stored", async () =>
      (await events(station.identity)).some(({ event }) => event === "closed"),
    );
    expect(await world.owner(station.identity)).toEqual(after);
    expect(await young.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
    expect((await events(station.identity)).filter(({ event }) => event === "closed")).toMatchObject([
      { code: 1000, epoch: Number(before.epoch) },
    ]);
    young.ws.terminate();
  });
});

test("[1.7.5] a stranger with the wrong password does not disturb the one who is connected", async () => {
  const station = await world.register();
  const { ws, call } = await connectStation(first.url, station);
  const owner = await world.owner(station.identity);
  await expect(connectStation(second.url, { ...station, password: Buffer.from("wrong") })).rejects.toThrow("401");
  expect(await world.owner(station.identity)).toEqual(owner);
  expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  ws.terminate();
});

// Broken once on purpose: with the former owner not told (tellFormer) it fails: "never came true: all but one are closed".
test("[I4] [1.7.1] [B5] many connections at the same moment on two nodes leave exactly one, and it is the owner", async () => {
  const station = await world.register();
  const attempts = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => connectStation(i % 2 === 0 ? first.url : second.url, station)),
  );
  // Past the third takeover they have to wait while somebody answers.
  const connections = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
  for (const attempt of attempts) if (attempt.status === "rejected") expect(String(attempt.reason)).toContain("429");
  await until("all but one are closed", () => connections.filter(({ ws }) => ws.readyState === ws.OPEN).length === 1);
  const survivor = connections.find(({ ws }) => ws.readyState === ws.OPEN);
  const answer = await survivor?.call("m1", "Heartbeat", {});
  expect(answer).toMatchObject([3, "m1", {}]);
  const owner = await world.owner(station.identity);
  const heartbeat = (await world.stored(station.identity)).find(({ kind }) => kind === "inbound");
  expect(heartbeat?.epoch).toBe(Number(owner.epoch));
  survivor?.ws.terminate();
});

// Broken once on purpose: with TAKE giving the stored epoch, or a clock too coarse, it fails: "expected 1795 to be greater
// than 1795".
test("[I4] [1.7.1] a station that hung up is in nobody's hands, and its next epoch is higher", async () => {
  const station = await world.register();
  const connection = await connectStation(first.url, station);
  const { epoch } = await world.owner(station.identity);
  connection.ws.close(1001);
  await until("the ownership is released", async () => (await world.owner(station.identity)).node === undefined);
  expect((await world.owner(station.identity)).epoch).toBe(epoch);
  expect(await events(station.identity)).toMatchObject([
    { event: "opened", seq: 1 },
    { event: "closed", code: 1001, seq: 2 },
  ]);
  const again = await connectStation(second.url, station);
  expect(Number((await world.owner(station.identity)).epoch)).toBeGreaterThan(Number(epoch));
  again.ws.terminate();
});

// Broken once on purpose: with the clock alone in TAKE, without the stored epoch, it fails: the next epoch is an hour
// below the last.
test("[I4] [1.7.1] epochs do not run backwards when Redis forgets them or its clock is behind", async () => {
  const station = await world.register();
  const future = Date.now() + 3_600_000;
  await world.redis.hset(`ocpp:owner:{${station.identity}}`, "epoch", future);
  const ahead = await connectStation(first.url, station);
  expect(Number((await world.owner(station.identity)).epoch)).toBe(future + 1);
  ahead.ws.terminate();
});

describe("after a cut between node and Redis", () => {
  test("an owner that Redis forgot meanwhile is asserted again", async () => {
    const station = await world.register();
    const { ws } = await connectStation(first.url, station);
    const owner = await world.owner(station.identity);
    await world.redis.del(`ocpp:owner:{${station.identity}}`);
    await cutRedis(first, "commands");
    await until("the owner is there again", async () => (await world.owner(station.identity)).node === first.nodeId);
    expect(await world.owner(station.identity)).toEqual(owner);
    ws.terminate();
  });

  // Broken once on purpose: with REASSERT writing over a newer owner it fails: the connection is never closed; with
  // RELEASE blind to the epoch: the other node's name is gone.
  test("[I4] [1.7.2] a station that another node took, with the word of it lost, is closed", async () => {
    const station = await world.register();
    const { closed } = await connectStation(first.url, station);
    const { epoch } = await world.owner(station.identity);
    await world.redis.hset(`ocpp:owner:{${station.identity}}`, "node", "elsewhere", "epoch", Number(epoch) + 1);
    await cutRedis(first, "subscriber");
    expect((await closed).code).toBe(1000);
    expect(await world.owner(station.identity)).toEqual({ node: "elsewhere", epoch: String(Number(epoch) + 1) });
  });
});

test("a node's lease names its lane and is renewed", async () => {
  const lease = JSON.parse((await world.redis.get(nodeLease(first.nodeId))) ?? "{}") as { laneId: string };
  expect(lease.laneId).toEqual(expect.any(String));
  await world.redis.pexpire(nodeLease(first.nodeId), 5_000);
  await until("it was renewed", async () => (await world.redis.pttl(nodeLease(first.nodeId))) > 5_000);
});

test("[1.5-ping] [B2] a connection whose peer answers nothing is ended, one that answers pings is not", async () => {
  const impatient = await world.gateway({ PING_INTERVAL: "2s", IDLE_TIMEOUT: "8s" });
  const [mute, alive] = [await world.register(), await world.register()];
  const silent = await connectStation(impatient.url, mute);
  const pinged = await connectStation(impatient.url, alive);
  // Stops reading at the socket: pings stay unanswered, as from a peer behind a dead line.
  (silent.ws as unknown as { _socket: { pause(): void } })._socket.pause();
  let pings = 0;
  pinged.ws.on("ping", () => (pings += 1));
  await until("the silent one is given up", async () => (await world.owner(mute.identity)).node === undefined);
  expect(pinged.ws.readyState).toBe(pinged.ws.OPEN);
  expect(pings).toBeGreaterThan(1);
  silent.ws.terminate();
  pinged.ws.terminate();
  await once(pinged.ws, "close");
  impatient.signal("SIGKILL");
});
