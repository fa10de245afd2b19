import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectStation, type Connection } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

let world: World;
let first: GatewayProcess;
let second: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  const proxied = { TRUSTED_PROXIES: "127.0.0.1" };
  [first, second] = await Promise.all([world.gateway(proxied), world.gateway(proxied)]);
});
afterAll(() => world.close());

const A = "198.51.100.1";
const B = "198.51.100.2";
const connectFrom = (gateway: GatewayProcess, station: RegisteredStation, address: string) =>
  connectStation(gateway.url, station, { headers: { "x-forwarded-for": address } });
const securityEvents = async (station: RegisteredStation) =>
  (await world.stored(station.identity))
    .filter(({ kind, text }) => kind === "event" && text.includes('"securityEvent"'))
    .map(({ text }) => JSON.parse(text) as { type: string; techInfo: string });

/** Stops reading: pings stay unanswered, as from a device behind a line that is gone. */
const goSilent = ({ ws }: Connection) => (ws as unknown as { _socket: { pause(): void } })._socket.pause();

describe.each(["the same node", "another node"])("a station that is taken over again and again, on %s", (where) => {
  const next = () => (where === "the same node" ? first : second);

  test("[1.7.4] [B6] keeps its connection from the fourth takeover on, while it answers; the newcomer waits and both are told", async () => {
    const station = await world.register();
    for (let n = 0; n < 3; n++) await connectFrom(first, station, A);
    const holder = await connectFrom(next(), station, A);
    for (let n = 0; n < 3; n++) await expect(connectFrom(first, station, A)).rejects.toThrow("429");
    expect(await holder.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);

    await until("it is in the station's list", async () =>
      (await world.attempts(station)).some(({ outcome }) => outcome === "flapping"),
    );
    expect(await securityEvents(station)).toEqual([
      expect.objectContaining({
        type: "StationIdentityContested",
        techInfo: expect.stringContaining(`another connection from ${A} had to wait`),
      }),
    ]);
    holder.ws.terminate();
  });

  test("[1.7.4] [B6] two addresses that take a station from each other are stopped at the third turn", async () => {
    const station = await world.register();
    await connectFrom(first, station, A);
    await connectFrom(next(), station, B);
    const holder = await connectFrom(next(), station, A);
    await expect(connectFrom(first, station, B)).rejects.toThrow("429");
    // Whoever holds it may still connect anew.
    const again = await connectFrom(first, station, A);
    expect((await holder.closed).code).toBe(1000);
    again.ws.terminate();
  });

  test("[1.7.4] is let in all the same when its former connection is dead", async () => {
    const station = await world.register();
    for (let n = 0; n < 3; n++) await connectFrom(first, station, A);
    const dead = await connectFrom(next(), station, A);
    goSilent(dead);
    const alive = await connectFrom(first, station, A);
    expect(await alive.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
    expect((await world.owner(station.identity)).node).toBe(first.nodeId);
    expect(await securityEvents(station)).toEqual([
      expect.objectContaining({ techInfo: expect.stringContaining("the former connection was dead") }),
    ]);
    dead.ws.terminate();
    alive.ws.terminate();
  });
});

test("[1.7.4] [B3] a station whose socket is half-open is let in at once, three times over", async () => {
  const station = await world.register();
  let connection = await connectFrom(first, station, A);
  for (let n = 0; n < 3; n++) {
    goSilent(connection);
    connection = await connectFrom(n % 2 === 0 ? second : first, station, A);
  }
  expect(await connection.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  expect(await securityEvents(station)).toEqual([]);
  connection.ws.terminate();
});

test("[1.7.4] no more than two handshakes of one station wait for its dead connection at the same time", async () => {
  const station = await world.register();
  for (let n = 0; n < 3; n++) await connectFrom(first, station, A);
  const dead = await connectFrom(first, station, A);
  goSilent(dead);
  const newcomers = await Promise.allSettled(Array.from({ length: 5 }, () => connectFrom(second, station, A)));
  const refused = newcomers.flatMap((newcomer) => (newcomer.status === "rejected" ? [String(newcomer.reason)] : []));
  for (const reason of refused) expect(reason).toContain("429");
  expect(refused.length).toBeLessThan(5);
  const metrics = await (await fetch(`${second.internalUrl}/metrics`)).text();
  expect(metrics).toContain('ocpp_handshake_rejected_total{reason="handshakes-under-way"} 3');
  // Whoever waited gave its turn back.
  const again = await connectFrom(second, station, A).catch((error: Error) => error);
  if (again instanceof Error) expect(again.message).toContain("429");
  else again.ws.terminate();
  expect(await (await fetch(`${second.internalUrl}/metrics`)).text()).toContain(
    'ocpp_handshake_rejected_total{reason="handshakes-under-way"} 3',
  );
  dead.ws.terminate();
  for (const newcomer of newcomers) if (newcomer.status === "fulfilled") newcomer.value.ws.terminate();
});

test("[1.7.4] [A1] a station whose node was killed is let in, however often it was taken over before", async () => {
  const doomed = await world.gateway({ TRUSTED_PROXIES: "127.0.0.1" });
  const station = await world.register();
  for (let n = 0; n < 4; n++) await connectFrom(doomed, station, A);
  doomed.signal("SIGKILL");
  await doomed.ended;
  const again = await connectFrom(first, station, A);
  expect((await world.owner(station.identity)).node).toBe(first.nodeId);
  again.ws.terminate();
});

test("[1.7.5] strangers count for nothing: a hundred of them contest no station", async () => {
  const station = await world.register();
  const holder = await connectFrom(first, station, A);
  const stranger = { ...station, password: Buffer.from("wrong") };
  const refused = await Promise.allSettled(
    Array.from({ length: 100 }, (_, n) => connectFrom(second, stranger, `203.0.113.${n}`)),
  );
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set(["rejected"]));
  expect(holder.ws.readyState).toBe(holder.ws.OPEN);
  const again = await connectFrom(second, station, B);
  expect((await holder.closed).code).toBe(1000);
  again.ws.terminate();
});
