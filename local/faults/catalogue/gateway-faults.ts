import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, Member } from "../contract.ts";
import { strike, startWithFailpoint } from "../failpoints/failpoints.ts";
import { clockEnvironment } from "../servers/stepped-clock.ts";

const EVERYWHERE = ["single", "cluster", "sentinel"] as const;

/** Gateways that die, stop and are replaced. */
export const GATEWAY_FAULTS: readonly Fault[] = [
  {
    id: "A1",
    title: "gateways are killed at full load, one after the other",
    topologies: EVERYWHERE,
    async run({ system, fleet, scale, until, withCommands }) {
      const kills = scale.pick("A1.kills", 2, 20);
      const apartMs = scale.pick("A1.seconds", 3, 20) * 1_000;
      const messages = scale.pick("A1.messages", 0, 1_000_000);
      const before = (await fleet.stats()).acknowledged;
      let slowestMs = 0;
      await withCommands(5, async () => {
        for (let kill = 0; kill < kills; kill++) {
          const gateway = system.gateways[kill % system.gateways.length] as Member;
          await gateway.kill();
          const killedAtMs = performance.now();
          await sleep(500); // until the fleet has heard of it
          await until(
            "99 % of the stations are on other nodes",
            async () => {
              const { stations, connected } = await fleet.stats();
              return connected >= 0.99 * stations;
            },
            60_000,
          );
          slowestMs = Math.max(slowestMs, performance.now() - killedAtMs);
          await sleep(apartMs);
          await gateway.start();
          await sleep(apartMs / 2);
        }
        await until(
          "enough messages are acknowledged",
          async () => (await fleet.stats()).acknowledged - before >= messages,
          7_200_000,
        );
      });
      return {
        scaled: `${kills} kills`,
        notes: [`99 % of the stations back at most ${(slowestMs / 1_000).toFixed(1)} s after a kill`],
      };
    },
  },
  {
    id: "A2",
    title: "a gateway dies before Redis has an entry, and between Redis's acknowledgement and the stations' answers",
    topologies: ["single"],
    async run({ system, fleet, scale, until }) {
      const deaths = scale.pick("A2.deaths", 2, 40);
      const failpoints = ["before-xadd", "after-xadd"] as const;
      const gateway = system.gateways[0] as Member;
      await gateway.stop();
      for (let death = 0; death < deaths; death++) {
        await startWithFailpoint(gateway, failpoints[death % 2] ?? "after-xadd");
        // The stations are on the other nodes: until some have come back to it there is nothing to answer.
        await fleet.dropAll(500);
        await until("it has stations", async () => ((await gateway.metric("ocpp_connections")) ?? 0) > 20, 60_000);
        await sleep(500);
        strike(gateway);
        await until("it has died", () => !gateway.running(), 30_000);
      }
      await gateway.start();
      return { scaled: `${deaths} deaths` };
    },
  },
  {
    id: "A4",
    title: "rolling restart of all gateways",
    topologies: EVERYWHERE,
    async run({ system, fleet, scale, withCommands }) {
      const rounds = scale.pick("A4.rounds", 1, 5);
      const peaks = watchConnects(system.gateways);
      const before = (await fleet.stats()).closes;
      await withCommands(10, async () => {
        for (let round = 0; round < rounds; round++)
          for (const gateway of system.gateways) {
            await gateway.stop();
            await gateway.start();
            await sleep(1_000);
          }
      });
      const peak = await peaks.stop();
      const after = (await fleet.stats()).closes;
      const by1012 = (after["1012"] ?? 0) - (before["1012"] ?? 0);
      return {
        scaled: `${rounds} × ${system.gateways.length} gateways`,
        notes: [`${by1012} closes with 1012; at most ${peak} connects a second on one node`],
      };
    },
  },
  {
    id: "A5",
    title: "SIGTERM with commands outstanding",
    topologies: ["single"],
    async run({ system, scale, withCommands }) {
      const stops = scale.pick("A5.stops", 2, 10);
      await withCommands(25, async () => {
        for (let stop = 0; stop < stops; stop++) {
          await sleep(2_000);
          const gateway = system.gateways[stop % system.gateways.length] as Member;
          await gateway.stop();
          await gateway.start();
        }
      });
      return { scaled: `${stops} stops under 25 commands/s` };
    },
  },
  {
    id: "A19",
    title: "the clock of one node is stepped by an hour, forth and back",
    topologies: ["single"],
    async unable({ system }) {
      const clock = await clockEnvironment(system.folder);
      return "reason" in clock ? clock.reason : undefined;
    },
    async run({ system, fleet, until, withCommands }) {
      const clock = await clockEnvironment(system.folder);
      if ("reason" in clock) throw new Error(clock.reason);
      const [gateway, intake, jobs] = [system.gateways[1], system.intakes[0], system.jobs[0]] as [
        Member,
        Member,
        Member,
      ];
      for (const member of [gateway, intake, jobs]) {
        await member.stop();
        await member.startWith(clock.env);
      }
      await until(
        "all stations are back",
        async () => {
          const { stations, connected } = await fleet.stats();
          return connected === stations;
        },
        60_000,
      );
      const before = (await fleet.stats()).closes;
      await withCommands(5, async () => {
        for (const seconds of [3_600, 0, -3_600, 0]) {
          clock.step(seconds);
          await sleep(4_000);
        }
      });
      const after = (await fleet.stats()).closes;
      const lost = sum(after) - sum(before);
      for (const member of [gateway, intake, jobs]) {
        await member.stop();
        await member.start();
      }
      return {
        scaled: "a gateway, an intake and a jobs process: +1 h, 0, −1 h, 0",
        breaches: lost === 0 ? [] : [`${lost} stations were disconnected by a step of the clock`],
      };
    },
  },
];

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, one) => all + one, 0);

/** The most connections that one node took within a second. */
function watchConnects(gateways: readonly Member[]) {
  const last = new Map<string, number>();
  let peak = 0;
  let looking = Promise.resolve();
  const look = async () => {
    for (const gateway of gateways) {
      const opened = (await gateway.metric("ocpp_connections_opened_total")) ?? 0;
      const before = last.get(gateway.name);
      if (before !== undefined && opened >= before) peak = Math.max(peak, opened - before);
      last.set(gateway.name, opened);
    }
  };
  const timer = setInterval(() => void (looking = look()), 1_000);
  return {
    async stop() {
      clearInterval(timer);
      await looking;
      return peak;
    },
  };
}
