import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectStation } from "./fake-station.ts";
import { startLine } from "./line.ts";
import { startSentCommands, type SentCommands } from "./sent-commands.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

let world: World;
let commands: SentCommands;
beforeAll(async () => {
  world = await startWorld();
  commands = await startSentCommands(world);
});
afterAll(async () => {
  commands.stop();
  await world.close();
});

const closedEvents = async (station: RegisteredStation) =>
  (await world.stored(station.identity)).filter(({ kind, text }) => kind === "event" && text.includes('"closed"'));

test("[B2] a line that goes dead without a word is found out within the idle time; its open command is unknown, and the next is told at once", async () => {
  const gateway = await world.gateway({ PING_INTERVAL: "2s", IDLE_TIMEOUT: "8s" });
  const line = await startLine(gateway.port);
  const [station, neighbour] = [await world.register(), await world.register()];
  const cut = await connectStation(line.url, station);
  const alive = await connectStation(gateway.url, neighbour);
  const received = new Promise((resolve) => cut.ws.once("message", resolve));
  const epoch = await commands.send(gateway, station, { commandId: "cmd_open" });
  await received;
  // The kernel would take a quarter of an hour to notice.
  line.goDead();
  await until("it is declared dead", async () => (await closedEvents(station)).length === 1);
  expect((await world.owner(station.identity)).node).toBeUndefined();
  expect(commands.outcomes("cmd_open")).toMatchObject([{ state: "unknown" }]);
  const metrics = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
  expect(metrics).toContain('ocpp_connections_closed_total{code="1006",reason="silent"} 1');

  await commands.send(gateway, station, { commandId: "cmd_after", epoch });
  await until("it is answered", () => commands.kinds("cmd_after").length > 0);
  expect(commands.kinds("cmd_after")).toEqual(["notHere"]);
  expect(await alive.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  alive.ws.terminate();
  cut.ws.terminate();
  await line.close();
  gateway.signal("SIGKILL");
});

test("[B3] over a new line the station is let in at once while its old one is half-open; the old one is fenced off", async () => {
  const gateway = await world.gateway();
  const line = await startLine(gateway.port);
  const station = await world.register();
  const old = await connectStation(line.url, station);
  const before = Number((await world.owner(station.identity)).epoch);
  line.goDead();
  const young = await connectStation(gateway.url, station);
  expect(await young.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  expect(Number((await world.owner(station.identity)).epoch)).toBeGreaterThan(before);
  await until("the old connection has ended", async () => (await closedEvents(station)).length === 1);
  expect((await closedEvents(station))[0]?.epoch).toBe(before);
  expect(await young.call("m2", "Heartbeat", {})).toMatchObject([3, "m2", {}]);
  young.ws.terminate();
  old.ws.terminate();
  await line.close();
  gateway.signal("SIGKILL");
});

test("[B4] close events that come when their stations are long on another node leave the new sessions alone", async () => {
  const [stuck, next] = await Promise.all([world.gateway(), world.gateway()]);
  const stations = await Promise.all(Array.from({ length: 40 }, () => world.register()));
  const old = await Promise.all(stations.map((station) => connectStation(stuck.url, station)));
  stuck.signal("SIGSTOP");
  const young = await Promise.all(stations.map((station) => connectStation(next.url, station)));
  const owners = await Promise.all(stations.map(({ identity }) => world.owner(identity)));
  // Half of the old connections end by the station's doing, the others by the word that they were replaced.
  for (const { ws } of old.slice(0, 20)) ws.terminate();
  await sleep(500);
  stuck.signal("SIGCONT");
  for (const station of stations)
    await until("its old connection has ended", async () => (await closedEvents(station)).length === 1);

  expect(await Promise.all(stations.map(({ identity }) => world.owner(identity)))).toEqual(owners);
  expect(owners.map(({ node }) => node)).toEqual(stations.map(() => next.nodeId));
  const answers = await Promise.all(young.map(({ call }) => call("m1", "Heartbeat", {})));
  expect(answers.map(([type]) => type)).toEqual(stations.map(() => 3));
  for (const { ws } of [...old, ...young]) ws.terminate();
  for (const gateway of [stuck, next]) gateway.signal("SIGKILL");
});
