import { join } from "node:path";
import { medianRatio } from "../arithmetic.ts";
import type { Bench, BenchRow } from "../contract.ts";
import { startGatewayWorld, type GatewayWorld } from "../gateway-world.ts";
import { openLab } from "../lab.ts";
import { costs, describe, measureInTurn } from "../measure-in-turn.ts";
import { startPinned } from "../pinned-process.ts";

const PHASE = "MeterValues";
const OFF = "off";
/** What is compared with a gateway that traces nothing. The same once more shows what of the figures is noise. */
const OTHERS = [
  { name: "off again", ratio: undefined, short: false },
  { name: "one in a hundred recorded", ratio: 0.01, short: false },
  { name: "all recorded", ratio: 1, short: true },
] as const;

/** What traces cost a gateway. Without them nothing of theirs is in the way of a frame, so "off" is the gateway of all other rows. */
export const tracing: Bench = {
  id: "tracing",
  title: "traces to a collector beside it, against none",
  async run(context) {
    const lab = await openLab(context);
    const others = OTHERS.filter(({ short }) => short || !context.short);
    const worlds: GatewayWorld[] = [];
    const collector = await startPinned({
      file: join("local", "bench", "references", "swallow-spans.ts"),
      cores: lab.cores.others,
      logFile: join(context.folder, "collector.log"),
      isReady: (line) => "port" in line,
    });
    const start = async (ratio?: number) => {
      const env: Record<string, string> =
        ratio === undefined
          ? {}
          : {
              OTEL_TRACES_EXPORTER: "otlp",
              OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${Number(collector.ready["port"])}`,
              OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
              OTEL_TRACES_SAMPLER_ARG: String(ratio),
            };
      const world = await startGatewayWorld({ ...context, ...lab, stations: 1_000, env });
      worlds.push(world);
      return world;
    };
    try {
      const contenders = [(await start()).contender(OFF)];
      for (const { name, ratio } of others) contenders.push((await start(ratio)).contender(name));
      const visits = await measureInTurn({ ...lab, ...context, contenders, phases: [PHASE], connections: 1_000 });
      const off = visits(OFF, PHASE);
      return others.map(({ name }): BenchRow => {
        const theirs = visits(name, PHASE);
        return {
          what: `${PHASE}, traces: ${name}, against none`,
          figure: medianRatio(costs(off), costs(theirs)),
          unit: "×",
          behind: `${name} ${describe(theirs)}, none ${describe(off)}`,
        };
      });
    } finally {
      await Promise.all([...worlds.map((world) => world.close()), collector.stop()]);
    }
  },
};
