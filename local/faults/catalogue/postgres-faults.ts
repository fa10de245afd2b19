import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, Member } from "../contract.ts";
import { startWithFailpoint, strike } from "../failpoints/failpoints.ts";

/** Postgres that is away, slow, full, or refuses. */
export const POSTGRES_FAULTS: readonly Fault[] = [
  {
    id: "A13",
    title: "Postgres is killed and away",
    topologies: ["single"],
    async run({ system, scale, until, withCommands }) {
      const seconds = scale.pick("A13.seconds", 12, 60);
      const breaches: string[] = [];
      await withCommands(5, async () => {
        await system.postgres.kill();
        await sleep(seconds * 1_000);
        for (const api of system.apis) {
          if ((await api.livez()) !== 200) breaches.push(`${api.name} is not live because Postgres is away`);
          if ((await api.readyz()) === 200) breaches.push(`${api.name} says that it is ready without Postgres`);
        }
        const ready = await Promise.all(system.gateways.map((gateway) => gateway.readyz()));
        if (ready.some((status) => status !== 200)) breaches.push("a gateway is not ready because Postgres is away");
        await system.postgres.start();
        await until("the api is ready again", async () => (await (system.apis[0] as Member).readyz()) === 200, 60_000);
      });
      return { scaled: `${seconds} s`, breaches };
    },
  },
  {
    id: "A13-cut",
    title: "Postgres's connections break again and again",
    topologies: ["single"],
    async run({ system, scale, withCommands }) {
      const cuts = scale.pick("A13-cut.cuts", 6, 100);
      await withCommands(5, async () => {
        for (let cut = 0; cut < cuts; cut++) {
          await system.postgres.way.cut();
          await sleep(700);
        }
      });
      return { scaled: `${cuts} times` };
    },
  },
  {
    id: "A15",
    title: "Postgres takes 500 ms for each statement",
    topologies: ["single"],
    async run({ system, scale, withCommands }) {
      const seconds = scale.pick("A15.seconds", 8, 120);
      const breaches: string[] = [];
      const before = new Map(system.gateways.map((one) => [one.name, residentBytes(one)]));
      await withCommands(2, async () => {
        await system.postgres.way.slow({ latencyMs: 250 });
        await sleep(seconds * 1_000);
        for (const member of [...system.apis, ...system.decisions, ...system.intakes, ...system.jobs])
          if ((await member.livez()) !== 200) breaches.push(`${member.name} is not live because Postgres is slow`);
        await system.postgres.way.heal();
      });
      const grown = system.gateways.map((one) => residentBytes(one) / (before.get(one.name) ?? 1));
      return {
        scaled: `${seconds} s`,
        breaches,
        notes: [`memory of the gateways × ${grown.map((times) => times.toFixed(2)).join(", ")}`],
      };
    },
  },
  {
    id: "A16",
    title: "deadlocks and serialization failures in 5 % of the statements",
    topologies: ["single"],
    async run({ system, scale, withCommands }) {
      const seconds = scale.pick("A16.seconds", 10, 60);
      const members = [...system.decisions, ...system.intakes, ...system.jobs, ...system.apis];
      await Promise.all(
        members.map(async (member) => {
          await member.stop();
          await startWithFailpoint(member, "refuse-statements:5");
        }),
      );
      await withCommands(3, async () => {
        for (const member of members) strike(member);
        await sleep(seconds * 1_000);
        for (const member of members) strike(member);
      });
      await Promise.all(
        members.map(async (member) => {
          await member.stop();
          await member.start();
        }),
      );
      return { scaled: `${seconds} s` };
    },
  },
  {
    id: "A20-postgres",
    title: "the disk of Postgres is full",
    topologies: ["single"],
    async run({ system, scale, until, withCommands }) {
      const seconds = scale.pick("A20-postgres.seconds", 8, 60);
      await withCommands(2, async () => {
        await system.postgres.fillDisk();
        await sleep(seconds * 1_000);
        await system.postgres.freeDisk();
        if (!system.postgres.running()) await system.postgres.start();
        await until("the api is ready again", async () => (await (system.apis[0] as Member).readyz()) === 200, 90_000);
      });
      return { scaled: `${seconds} s` };
    },
  },
];

/** Of Linux. */
function residentBytes(member: Member): number {
  const status = readFileSync(`/proc/${member.pid()}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024;
}
