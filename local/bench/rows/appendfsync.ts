import { median, medianRatio } from "../arithmetic.ts";
import type { Bench, BenchRow } from "../contract.ts";
import { startGatewayWorld, type GatewayWorld } from "../gateway-world.ts";
import { openLab } from "../lab.ts";
import { costs, describe, measureInTurn, type Visit } from "../measure-in-turn.ts";

const PHASE = "MeterValues";

/** What it costs to wait for the disk: Redis syncs before it acknowledges, instead of once a second. */
export const appendfsync: Bench = {
  id: "appendfsync",
  title: "appendfsync always against everysec, at saturation",
  async run(context) {
    const lab = await openLab(context);
    const worlds: GatewayWorld[] = [];
    try {
      for (const appendfsync of ["everysec", "always"] as const)
        worlds.push(await startGatewayWorld({ ...context, ...lab, stations: 1_000, appendfsync }));
      const [everysec, always] = worlds as [GatewayWorld, GatewayWorld];
      const visits = await measureInTurn({
        ...lab,
        ...context,
        contenders: [everysec.contender("everysec"), always.contender("always")],
        phases: [PHASE],
        connections: 1_000,
      });
      const [relaxed, strict] = [visits("everysec", PHASE), visits("always", PHASE)];
      const behind = `always ${told(strict)}; everysec ${told(relaxed)}`;
      const pace = ({ perSecond }: Visit) => perSecond;
      return [
        {
          what: `${PHASE}, appendfsync always against everysec, per CPU`,
          figure: medianRatio(costs(relaxed), costs(strict)),
          unit: "×",
          target: { atLeast: 0.85 },
          fails: { below: 0.5 },
          behind,
        },
        {
          what: `${PHASE}, appendfsync always against everysec, messages a second`,
          figure: medianRatio(strict.map(pace), relaxed.map(pace)),
          unit: "×",
          target: { atLeast: 0.85 },
          behind,
        },
      ] satisfies BenchRow[];
    } finally {
      await Promise.all(worlds.map((world) => world.close()));
    }
  },
};

const told = (visits: readonly Visit[]) =>
  `${describe(visits)}, p50 ${(median(visits.map(({ p50Us }) => p50Us)) / 1_000).toFixed(1)} ms, Redis ${median(visits.map(({ redisUs }) => redisUs)).toFixed(1)} µs`;
