import { medianRatio } from "../arithmetic.ts";
import type { Bench, BenchRow } from "../contract.ts";
import { startGatewayWorld, type GatewayWorld } from "../gateway-world.ts";
import { openLab, startReference, type Reference } from "../lab.ts";
import { costs, describe, measureInTurn, type Contender } from "../measure-in-turn.ts";

const PHASE = "MeterValues";
const STATIONS = 4_000;

/** Whether a message costs the same where the stations are spread over four processes. */
export const gateways: Bench = {
  id: "gateways",
  title: "cost of a message from one gateway to four, with the same stations",
  async run(context) {
    const lab = await openLab(context);
    const worlds: GatewayWorld[] = [];
    const references: Reference[] = [];
    try {
      for (const count of [1, 4])
        worlds.push(await startGatewayWorld({ ...context, ...lab, stations: STATIONS, gateways: count }));
      for (let at = 0; at < 4; at += 1) references.push(await startReference("uws-validated", { ...context, ...lab }));
      const [one, four] = worlds as [GatewayWorld, GatewayWorld];
      const [reference] = references as [Reference];
      const visits = await measureInTurn({
        ...lab,
        ...context,
        contenders: [
          one.contender("one"),
          four.contender("four"),
          { ...reference, name: "reference, one" },
          together("reference, four", references),
        ],
        phases: [PHASE],
        connections: STATIONS,
      });
      const [single, spread] = [visits("one", PHASE), visits("four", PHASE)];
      const [theirs, theirsSpread] = [visits("reference, one", PHASE), visits("reference, four", PHASE)];
      return [
        {
          what: `${PHASE}, cost with four gateways against one, ${STATIONS.toLocaleString("en")} stations, all on one core`,
          figure: medianRatio(costs(spread), costs(single)),
          unit: "×",
          target: { atMost: 1.15 },
          fails: { above: 2.5 },
          behind: `${describe(single)} → ${describe(spread)}; uws-validated ${describe(theirs)} → ${describe(theirsSpread)}`,
        },
      ] satisfies BenchRow[];
    } finally {
      await Promise.all([...worlds.map((world) => world.close()), ...references.map((one) => one.stop())]);
    }
  },
};

/** Several servers of which the stations take one each in turn. */
function together(name: string, servers: readonly Contender[]): Contender {
  return {
    name,
    target: { ports: servers.flatMap(({ target }) => target.ports), path: servers[0]?.target.path ?? "/" },
    watch: { server: servers.flatMap(({ watch }) => watch.server) },
  };
}
