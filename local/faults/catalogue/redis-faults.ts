import { setTimeout as sleep } from "node:timers/promises";
import { lane } from "@dynamo-csms/proto/redis-keys";
import type { Fault, FaultySystem, Member, RedisNode, World } from "../contract.ts";

const EVERYWHERE = ["single", "cluster", "sentinel"] as const;
const ELSEWHERE = ["cluster", "sentinel"] as const;

/** Some key: on a cluster its master stands for any. */
const SOME_KEY = lane("some-lane");

/** Redis that dies, forgets, fills up, is cut off and fails over. */
export const REDIS_FAULTS: readonly Fault[] = [
  {
    id: "A6",
    title: "the primary of Redis is killed and comes back",
    topologies: EVERYWHERE,
    async run({ system, scale, withCommands }) {
      const awaySeconds = scale.pick("A6.seconds", 6, 10);
      await withCommands(5, async () => {
        const primary = await system.redis.masterOf(SOME_KEY);
        await primary.kill();
        await sleep(awaySeconds * 1_000);
        await primary.start();
        await system.redis.healthy(60_000);
      });
      return { scaled: `away for ${awaySeconds} s`, breaches: await restarted(system) };
    },
  },
  {
    id: "A6-power",
    title: "power cut of Redis while the gateways live: they fill in what it forgot",
    topologies: ["single"],
    async run({ system, scale }) {
      const cuts = scale.pick("A6-power.cuts", 1, 5);
      let cutBytes = 0;
      for (let cut = 0; cut < cuts; cut++) {
        await sleep(2_000);
        const primary = await system.redis.masterOf(SOME_KEY);
        cutBytes += (await primary.powerCut()).cutBytes;
        await primary.start();
        await system.redis.healthy(60_000);
      }
      return { scaled: `${cuts} cuts`, notes: [`Redis forgot ${cutBytes} bytes`] };
    },
  },
  powerCutOfAll("everysec", "redis"),
  powerCutOfAll("always", "aof"),
  {
    id: "A7",
    title: "failover to a replica that lags, the gateways live",
    topologies: ELSEWHERE,
    async run({ system, scale, withCommands }) {
      const lagSeconds = scale.pick("A7.seconds", 3, 5);
      await withCommands(5, async () => {
        const primary = await system.redis.masterOf(SOME_KEY);
        await stopReplication(primary);
        await sleep(lagSeconds * 1_000);
        await primary.kill();
        await sleep(8_000);
        await primary.start();
        await system.redis.healthy(60_000);
      });
      return {
        scaled: `no replication for ${lagSeconds} s, then the primary died`,
        breaches: await restarted(system),
      };
    },
  },
  failoverOfAll("redis"),
  failoverOfAll("replica"),
  {
    id: "A8",
    title: "Redis is cut off from one gateway alone",
    topologies: EVERYWHERE,
    async run({ system, fleet, scale, until }) {
      const seconds = scale.pick("A8.seconds", 22, 60);
      const gateway = system.gateways[0] as Member;
      const way = system.redisWay(gateway.name);
      const breaches: string[] = [];
      await way.blackhole();
      const cutAtMs = performance.now();
      await until(
        "it has shed its stations",
        async () => ((await gateway.metric("ocpp_connections")) ?? 0) === 0,
        40_000,
      );
      const shedMs = performance.now() - cutAtMs;
      // 15 s for what waits, and 5 s until silence counts as absence.
      if (shedMs > 22_000) breaches.push(`its stations were shed after ${(shedMs / 1_000).toFixed(1)} s`);
      if ((await gateway.livez()) !== 200) breaches.push("it is not live although it only waits for Redis");
      if ((await gateway.readyz()) !== 503) breaches.push("it says that it is ready without Redis");
      await until(
        "its stations are on the other nodes",
        async () => {
          const { stations, connected } = await fleet.stats();
          return connected >= 0.99 * stations;
        },
        60_000,
      );
      await sleep(Math.max(0, seconds * 1_000 - (performance.now() - cutAtMs)));
      await way.heal();
      await until("it is ready again", async () => (await gateway.readyz()) === 200, 60_000);
      return { scaled: `${seconds} s`, breaches, notes: [`shed within ${(shedMs / 1_000).toFixed(1)} s`] };
    },
  },
  {
    id: "A9",
    title: "Redis has no memory left",
    topologies: ["single", "cluster"],
    async run({ system, scale, until }) {
      const seconds = scale.pick("A9.seconds", 12, 60);
      const breaches: string[] = [];
      const masters = await mastersOf(system);
      for (const node of masters)
        await node.command("CONFIG", "SET", "maxmemory", String(Math.floor((await usedMemory(node)) / 2)));
      await sleep(seconds * 1_000);
      const ready = await Promise.all(system.gateways.map((gateway) => gateway.readyz()));
      if (ready.includes(200)) breaches.push("a gateway says that it is ready while Redis takes nothing");
      const live = await Promise.all(system.gateways.map((gateway) => gateway.livez()));
      if (live.some((status) => status !== 200)) breaches.push("a gateway is not live");
      for (const node of masters) await node.command("CONFIG", "SET", "maxmemory", "0");
      await until("all gateways are ready again", async () => allReady(system), 60_000);
      return { scaled: `${seconds} s`, breaches: [...breaches, ...(await restarted(system))] };
    },
  },
  {
    id: "A12",
    title: "the connection to Redis breaks right after an entry was written",
    topologies: ["single", "cluster"],
    async run({ system, scale, until }) {
      const cuts = scale.pick("A12.cuts", 100, 1_000);
      const ways = system.gateways.map(({ name }) => system.redisWay(name));
      // Wherever the stations are now.
      await Promise.all(ways.map((way) => way.cutAfterRequest("XADD", cuts)));
      await until(
        "the cuts were made",
        async () => {
          const made = await Promise.all(ways.map((way) => way.strikes()));
          return made.reduce((all, one) => all + one, 0) >= cuts;
        },
        60_000 + cuts * 1_000,
      );
      await Promise.all(ways.map((way) => way.heal()));
      return { scaled: `${cuts} cuts` };
    },
  },
  {
    id: "A20",
    title: "the disk of Redis is full",
    topologies: ["single"],
    async run({ system, scale, until }) {
      const seconds = scale.pick("A20.seconds", 10, 60);
      const primary = await system.redis.masterOf(SOME_KEY);
      await primary.fillDisk();
      await sleep(seconds * 1_000);
      await primary.freeDisk();
      if (!primary.running()) await primary.start();
      await system.redis.healthy(60_000);
      await until("all gateways are ready again", async () => allReady(system), 60_000);
      return { scaled: `${seconds} s`, breaches: await restarted(system) };
    },
  },
];

/** A power cut takes the gateways along, which hold the tail, and the intakes, which may have applied it: nobody else has it. */
function powerCutOfAll(fsync: "everysec" | "always", durability: "redis" | "aof"): Fault {
  return {
    id: `A6-${fsync}`,
    title: `power cut of Redis, all gateways and all intakes, appendfsync ${fsync}, ACK_DURABILITY=${durability}`,
    topologies: ["single"],
    async run(world) {
      const { system, scale, fleet } = world;
      const cuts = scale.pick(`A6-${fsync}.cuts`, 1, 5);
      const primary = await system.redis.masterOf(SOME_KEY);
      await primary.configure("appendfsync", fsync);
      if (durability !== "redis") await gatewaysWith(world, { ACK_DURABILITY: durability });
      // What was acknowledged in the last second or two, and is nowhere else.
      let mayLose = 0;
      let cutBytes = 0;
      for (let cut = 0; cut < cuts; cut++) {
        await sleep(2_000);
        await Promise.all(system.intakes.map((intake) => intake.kill()));
        const before = (await fleet.stats()).acknowledged;
        await sleep(1_000);
        mayLose += 2 * ((await fleet.stats()).acknowledged - before);
        const [cutOff] = await Promise.all([primary.powerCut(), ...system.gateways.map((gateway) => gateway.kill())]);
        cutBytes += cutOff.cutBytes;
        await primary.start();
        await Promise.all(system.gateways.map((gateway) => gateway.startWith({ ACK_DURABILITY: durability })));
        await Promise.all(system.intakes.map((intake) => intake.start()));
      }
      await primary.configure("appendfsync", "everysec");
      if (durability !== "redis") await gatewaysWith(world, {});
      return {
        scaled: `${cuts} cuts`,
        mayLose: fsync === "everysec" ? mayLose : 0,
        notes: [`Redis forgot ${cutBytes} bytes`],
      };
    },
  };
}

/**
 * A primary, all gateways and all intakes die, and the replica lags: nobody holds what it lacks. With `redis` the stations were
 * answered meanwhile; with `replica` they were not.
 */
function failoverOfAll(durability: "redis" | "replica"): Fault {
  return {
    id: `A7-${durability}`,
    title: `a primary of Redis, all gateways and all intakes die while the replica lags, ACK_DURABILITY=${durability}`,
    topologies: ELSEWHERE,
    async run(world) {
      const { system, scale, fleet } = world;
      const times = scale.pick(`A7-${durability}.times`, 1, 3);
      const lagMs = scale.pick(`A7-${durability}.lagMs`, 1_000, 2_000);
      if (durability !== "redis") await gatewaysWith(world, { ACK_DURABILITY: durability });
      let answeredMeanwhile = 0;
      for (let time = 0; time < times; time++) {
        await sleep(2_000);
        const primary = await system.redis.masterOf(SOME_KEY);
        await Promise.all(system.intakes.map((intake) => intake.kill()));
        const before = (await fleet.stats()).acknowledged;
        await stopReplication(primary);
        await sleep(lagMs);
        await Promise.all([primary.kill(), ...system.gateways.map((gateway) => gateway.kill())]);
        answeredMeanwhile += (await fleet.stats()).acknowledged - before;
        await sleep(6_000);
        await primary.start();
        await system.redis.healthy(60_000);
        await Promise.all(system.gateways.map((gateway) => gateway.startWith({ ACK_DURABILITY: durability })));
        await Promise.all(system.intakes.map((intake) => intake.start()));
      }
      if (durability !== "redis") await gatewaysWith(world, {});
      return {
        scaled: `${times} × ${lagMs} ms of lag`,
        mayLose: durability === "redis" ? answeredMeanwhile : 0,
        notes: [`${answeredMeanwhile} messages were answered while the replica lagged`],
      };
    },
  };
}

async function gatewaysWith({ system }: World, env: Record<string, string>): Promise<void> {
  await Promise.all(
    system.gateways.map(async (gateway) => {
      await gateway.stop();
      await gateway.startWith(env);
    }),
  );
}

/** Nothing of ours ends because Redis does. */
async function restarted(system: FaultySystem): Promise<string[]> {
  const all = [...system.gateways, ...system.decisions, ...system.intakes, ...system.jobs, ...system.apis];
  return all.filter((member) => !member.running()).map((member) => `${member.name} has ended by itself`);
}

async function mastersOf(system: FaultySystem): Promise<RedisNode[]> {
  const roles = await Promise.all(system.redis.nodes.map((node) => node.role()));
  return system.redis.nodes.filter((_, at) => roles[at] === "master");
}

/**
 * From now on the primary's replicas hear nothing from it: a replica that only stood still would read what the kernel holds for
 * it when it goes on. They are not let in again either. Gone with the primary's end.
 */
async function stopReplication(primary: RedisNode): Promise<void> {
  await primary.command("ACL", "SETUSER", "default", "-psync", "-sync", "-replconf");
  await primary.command("CLIENT", "KILL", "TYPE", "replica");
}

async function usedMemory(node: RedisNode): Promise<number> {
  const info = String(await node.command("INFO", "memory"));
  return Number(/used_memory:(\d+)/.exec(info)?.[1] ?? 0);
}

async function allReady(system: FaultySystem): Promise<boolean> {
  const ready = await Promise.all(system.gateways.map((gateway) => gateway.readyz()));
  return ready.every((status) => status === 200);
}
