import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultySystem, Member } from "../contract.ts";
import { mebibytes } from "../odd-stations/kept-memory.ts";
import { lookAt, notFlat, tellThirds, whyNotFlat, type Look } from "../odd-stations/process-figures.ts";
import { medianOf, type Point } from "../odd-stations/robust-slope.ts";

/** Entries that wait in the lanes: an intake that just looks again is this much behind. */
const LAG_NOISE = 100;
const REDIS_NOISE_BYTES = 16 * 2 ** 20;

/** A steady load for long: nothing grows. */
export const SOAK: Fault = {
  id: "SOAK",
  title: "a steady load for an hour",
  topologies: ["single"],
  async run({ system, scale, paceOf, withCommands, say }) {
    const minutes = scale.pick("SOAK.minutes", 3, 60);
    const everyMs = scale.pick("SOAK.everySeconds", 5, 10) * 1_000;
    const members = [...system.gateways, ...system.decisions, ...system.intakes, ...system.jobs, ...system.apis];
    const pids = members.map((member) => member.pid());
    const looks = new Map<string, { at: number; look: Look }[]>(members.map(({ name }) => [name, []]));
    const lag: Point[] = [];
    const redis: Point[] = [];
    await withCommands(2, async () => {
      const startedAtMs = performance.now();
      for (let turn = 1; performance.now() - startedAtMs < minutes * 60_000; turn++) {
        await sleep(Math.max(0, startedAtMs + turn * everyMs - performance.now()));
        const at = (performance.now() - startedAtMs) / 1_000;
        await Promise.all(
          members.map(async (member) => looks.get(member.name)?.push({ at, look: await lookAt(member) })),
        );
        lag.push({ at, value: await system.lag() });
        redis.push({ at, value: await memoryOfRedis(system) });
        if (turn % Math.ceil(600_000 / everyMs) === 0) say(`  ${Math.round(at / 60)} min`);
      }
    });
    const ended = members.filter((member, at) => !member.running() || member.pid() !== pids[at]);
    const behind = whyNotFlat(lag, LAG_NOISE);
    const redisGrows = whyNotFlat(redis, REDIS_NOISE_BYTES);
    const of = ({ name }: Member) => looks.get(name) ?? [];
    return {
      scaled: `${minutes} min at ${paceOf} messages/s and 2 commands/s`,
      breaches: [
        ...ended.map(({ name }) => `${name} has ended`),
        ...members.flatMap((member) => notFlat(member.name, of(member))),
        ...(behind === undefined ? [] : [`entries that wait in the lanes: ${behind}`]),
        ...(redisGrows === undefined ? [] : [`memory of Redis: ${redisGrows}`]),
      ],
      notes: [
        "medians of the first third → of the last third",
        ...members.map((member) => tellThirds(member.name, of(member))),
        `entries that wait in the lanes: ${thirds(lag, String)}; memory of Redis: ${thirds(redis, mebibytes)}`,
      ],
    };
  },
};

async function memoryOfRedis(system: FaultySystem): Promise<number> {
  const texts = await Promise.all(system.redis.nodes.map(async (node) => String(await node.command("INFO", "memory"))));
  return texts.reduce((sum, text) => sum + Number(/used_memory:(\d+)/.exec(text)?.[1] ?? 0), 0);
}

function thirds(series: readonly Point[], show: (value: number) => string): string {
  const third = Math.ceil(series.length / 3);
  const median = (part: readonly Point[]) => show(medianOf(part.map(({ value }) => value)));
  return `${median(series.slice(0, third))} → ${median(series.slice(-third))}`;
}
