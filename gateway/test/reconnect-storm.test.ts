import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basicAuth, connectStation, handshake, type Connection } from "./fake-station.ts";
import { figureOf } from "./gateway-figures.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { connectRaw, upgradeText } from "./raw-socket.ts";
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

const headersOf = (station: RegisteredStation) => ({
  "sec-websocket-protocol": "ocpp1.6",
  authorization: basicAuth(station.spelling, station.password),
});

/** Connects until it is let in, as a station does. `refused`: what it was told before. */
async function insist(gateway: GatewayProcess, station: RegisteredStation, refused: string[]): Promise<Connection> {
  for (;;) {
    try {
      return await connectStation(gateway.url, station);
    } catch (error) {
      refused.push((error as Error).message);
      await sleep(500 + Math.random() * 1_500);
    }
  }
}

test("[B1] a thousand stations that come at once are all let in, one after the other; none is told 401, and who is connected is served meanwhile", async () => {
  const gateway = await world.gateway({ HANDSHAKES_PER_SECOND: "200", LOG_LEVEL: "info" });
  const [asked, stations] = [
    await world.register(),
    await Promise.all(Array.from({ length: 1_000 }, () => world.register())),
  ];
  const early = await connectStation(gateway.url, asked);
  early.ws.on("message", (data: Buffer) => {
    const [type, id] = JSON.parse(data.toString()) as unknown[];
    if (type === 2) early.ws.send(JSON.stringify([3, id, { status: "Accepted" }]));
  });

  const refused: string[] = [];
  const storm = Promise.all(stations.map((station) => insist(gateway, station, refused)));
  await until("handshakes wait", async () => (await figureOf(gateway, "ocpp_handshakes_waiting")) > 100);
  expect(await early.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  await commands.send(gateway, asked, { commandId: "cmd_storm" });
  await until("a command is answered", () => commands.outcomes("cmd_storm").length > 0);
  expect(commands.outcomes("cmd_storm")).toMatchObject([{ state: "accepted" }]);
  // All of this while the storm goes on.
  expect(await figureOf(gateway, "ocpp_handshakes_waiting")).toBeGreaterThan(0);

  const connections = await storm;
  // Others than these: none. A machine that is too busy to send the storm at once may see no refusal at all.
  expect(refused.filter((reason) => reason !== "Unexpected server response: 503")).toEqual([]);
  expect(await figureOf(gateway, "ocpp_connections")).toBe(1_001);
  expect(await figureOf(gateway, "ocpp_handshakes_waiting")).toBe(0);
  expect(await figureOf(gateway, "ocpp_handshakes_admitted_total")).toBe(1_001);
  expect(await figureOf(gateway, "ocpp_handshake_rejected_total", /too-many-handshakes|handshake-overdue/)).toBe(
    refused.length,
  );
  expect(world.decisions.lookups).toEqual([]);
  for (const { ws } of [early, ...connections]) ws.terminate();
  gateway.signal("SIGKILL");
});

test("[B1] an address that floods is told to come back later, and a station from another one gets in before those who were there first", async () => {
  const gateway = await world.gateway({ HANDSHAKES_PER_SECOND: "4", LOG_LEVEL: "info" });
  const station = await world.register();
  const path = `/ocpp/${station.spelling}`;
  const nobody = { "sec-websocket-protocol": "ocpp1.6" };
  let flooding = true;
  const answers: { status: number; retryAfter: string | string[] | undefined }[] = [];
  const flood = Array.from({ length: 200 }, async () => {
    while (flooding) {
      const { status, headers } = await handshake(gateway.url, "/elsewhere", nobody, undefined, "127.0.0.2");
      answers.push({ status, retryAfter: headers["retry-after"] });
      await sleep(50);
    }
  });
  await until("the flood has filled its room", () => answers.some(({ status }) => status === 503));
  for (let n = 0; n < 3; n++) {
    // Behind all of those it would be told that it waited for too long: in four seconds sixteen are let in.
    expect(await figureOf(gateway, "ocpp_handshakes_waiting")).toBeGreaterThan(20);
    const answer = await handshake(gateway.url, path, headersOf(station), undefined, "127.0.0.3");
    expect(answer.status).toBe(101);
  }
  flooding = false;
  await Promise.all(flood);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404, 503]));
  const retries = new Set(answers.filter(({ status }) => status === 503).map(({ retryAfter }) => Number(retryAfter)));
  expect(retries.size).toBeGreaterThan(3);
  expect(Math.min(...retries)).toBeGreaterThanOrEqual(5);
  expect(Math.max(...retries)).toBeLessThanOrEqual(20);
  gateway.signal("SIGKILL");
});

test("[B1] whoever hangs up while it waits is not let in, costs no turn, and leaves nothing behind", async () => {
  const gateway = await world.gateway({ HANDSHAKES_PER_SECOND: "2", LOG_LEVEL: "info" });
  const [first, gone, last] = [await world.register(), await world.register(), await world.register()];
  (await connectStation(gateway.url, first)).ws.terminate();
  const waiting = await Promise.all(Array.from({ length: 20 }, () => connectRaw(gateway.port)));
  for (const { socket } of waiting) socket.write(upgradeText(gone));
  await until("they wait", async () => (await figureOf(gateway, "ocpp_handshakes_waiting")) >= 15);
  for (const { socket } of waiting) socket.resetAndDestroy();
  await until("none waits", async () => (await figureOf(gateway, "ocpp_handshakes_waiting")) === 0);
  const { ws } = await connectStation(gateway.url, last);
  expect(await figureOf(gateway, "ocpp_connections")).toBe(1);
  ws.terminate();
  gateway.signal("SIGKILL");
});

test("[A4] a node that stops refuses those who wait at once, with 503 and without waiting for their turn", async () => {
  const gateway = await world.gateway({ HANDSHAKES_PER_SECOND: "1", LOG_LEVEL: "info" });
  const stations = await Promise.all(Array.from({ length: 20 }, () => world.register()));
  const asked = stations.map((station) => handshake(gateway.url, `/ocpp/${station.spelling}`, headersOf(station)));
  await until("they wait", async () => (await figureOf(gateway, "ocpp_handshakes_waiting")) >= 15);
  gateway.signal("SIGTERM");
  const answers = await Promise.all(asked);
  const refused = answers.filter(({ status }) => status === 503);
  expect(refused.length).toBeGreaterThanOrEqual(10);
  for (const { body, headers } of refused) {
    expect(body).toContain("This node is stopping");
    expect(headers["retry-after"]).toMatch(/^[1-5]$/);
  }
  expect(await gateway.ended).toBe(0);
});
