import { readFileSync } from "node:fs";
import { median, medianRatio } from "../arithmetic.ts";
import type { Bench, BenchContext, BenchRow } from "../contract.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { openLab, startReference } from "../lab.ts";
import { costs, describe, measureInTurn } from "../measure-in-turn.ts";

const PHASE = "MeterValues";
/** Beside its stations a process has some files open. */
const SPARE_FILES = 500;

/** Whether a message costs the same among many stations as among few. */
export const stations: Bench = {
  id: "stations",
  title: "cost of a message from 1,000 to 19,000 stations on one gateway",
  async run(context) {
    const count = manyStations(context);
    const lab = await openLab(context);
    const world = await startGatewayWorld({ ...context, ...lab, stations: count });
    const reference = await startReference("uws-validated", { ...context, ...lab }).catch(async (cause: unknown) => {
      await world.close();
      throw cause;
    });
    try {
      const visits = await measureInTurn({
        ...lab,
        ...context,
        contenders: [
          world.contender("few"),
          { ...world.contender("many"), connections: count },
          { ...reference, name: "reference, few" },
          { ...reference, name: "reference, many", connections: count },
        ],
        phases: [PHASE],
        connections: 1_000,
      });
      const few = visits("few", PHASE);
      const many = visits("many", PHASE);
      const [theirFew, theirMany] = [visits("reference, few", PHASE), visits("reference, many", PHASE)];
      // What a socket costs more among so many, in the kernel above all, is paid by whoever holds it.
      const own = costs(many).map((us, at) => us - (costs(theirMany)[at] as number) + (costs(theirFew)[at] as number));
      const behind = `${describe(few)} → ${describe(many)}, p50 ${(median(many.map(({ p50Us }) => p50Us)) / 1_000).toFixed(0)} ms; uws-validated ${describe(theirFew)} → ${describe(theirMany)}`;
      return [
        {
          what: `${PHASE}, cost among ${count.toLocaleString("en")} stations on one gateway against 1,000`,
          figure: medianRatio(costs(many), costs(few)),
          unit: "×",
          target: { atMost: 1.15 },
          fails: { above: 2.5 },
          behind,
        },
        {
          what: `the same, without what uws-validated comes to cost more by itself`,
          figure: medianRatio(own, costs(few)),
          unit: "×",
          target: { atMost: 1.15 },
          fails: { above: 2.5 },
          behind,
        },
      ] satisfies BenchRow[];
    } finally {
      await Promise.all([world.close(), reference.stop()]);
    }
  },
};

/** Throws where no process may hold so many sockets. */
function manyStations({ short }: BenchContext): number {
  const count = short ? 5_000 : 19_000;
  const [, limit = "0"] = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  if (limit !== "unlimited" && Number(limit) < count + SPARE_FILES)
    throw new Error(`a process may have ${limit} files open, want ${count + SPARE_FILES} (ulimit -Hn)`);
  return count;
}
