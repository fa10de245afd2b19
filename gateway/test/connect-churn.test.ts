import { afterAll, beforeAll, expect, test } from "vitest";
import { connectStation, type Connection } from "./fake-station.ts";
import { figureOf } from "./gateway-figures.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const STATIONS = 100;
/** Fewer than a station may leave in a row without having to wait. */
const ROUNDS = 10;

test.runIf(process.platform === "linux")(
  "[B11] stations that connect and hang up all the time leave nothing behind: no socket, no timer, no owner, no waiting handshake",
  async () => {
    const gateway = await world.gateway({ LOG_LEVEL: "info" });
    const stations = await Promise.all(Array.from({ length: STATIONS }, () => world.register()));
    /** A machine that is busy may tell it to come again (503). */
    const connect = (station: RegisteredStation): Promise<Connection> =>
      connectStation(gateway.url, station).catch(() => connect(station));
    const comeAndGo = async (station: RegisteredStation, round: number) => {
      const { ws, call, closed } = await connect(station);
      // In order, with an answer on its way, and without a word.
      if (round % 3 === 0) ws.close(1000);
      else if (round % 3 === 1) ws.terminate();
      else {
        call("m1", "Heartbeat", {}).catch(() => undefined);
        ws.terminate();
      }
      await closed;
    };
    const figures = async () => ({
      files: gateway.openFiles(),
      resources: await figureOf(gateway, "nodejs_active_resources_total"),
    });
    const oneRound = async (round: number) => {
      await Promise.all(stations.map((station) => comeAndGo(station, round)));
      await until("all are gone", async () => (await figureOf(gateway, "ocpp_connections")) === 0);
    };

    await oneRound(0);
    const before = await figures();
    for (let round = 1; round < ROUNDS; round++) await oneRound(round);

    expect(await figureOf(gateway, "ocpp_connections_opened_total")).toBe(STATIONS * ROUNDS);
    expect(await figureOf(gateway, "ocpp_connections_closed_total")).toBe(STATIONS * ROUNDS);
    expect(await figureOf(gateway, "ocpp_handshakes_waiting")).toBe(0);
    expect(await figureOf(gateway, "ocpp_calls_in_flight")).toBe(0);
    expect(await figureOf(gateway, "ocpp_faults_total")).toBe(0);
    // uWebSockets.js would write a line for each upgrade.
    expect(gateway.stderr).toEqual([]);
    await until("the sockets and timers are gone", async () => {
      const now = await figures();
      return now.files <= before.files && now.resources <= before.resources;
    });
    await until("nobody owns any", async () => {
      const owners = await Promise.all(stations.map(({ identity }) => world.owner(identity)));
      return owners.every(({ node }) => node === undefined);
    });
    gateway.signal("SIGKILL");
  },
);
