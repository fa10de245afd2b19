import { median, medianRatio } from "../arithmetic.ts";
import type { Bench, BenchContext, BenchRow } from "../contract.ts";
import { allowedCpus } from "../cores.ts";
import { openLab, startReference, type Lab } from "../lab.ts";
import { costs, measureInTurn } from "../measure-in-turn.ts";
import { setSystemScene, type SystemFigures, type SystemScene } from "../system/scene.ts";
import { thirdsOf, isFlat } from "../system/flat-lag.ts";

const STATIONS = 1_000;
/** Of what all cores would carry if nothing ever waited: the rates at which the lag is looked at, from above. */
const LAG_SHARES = { long: [0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15], short: [0.6, 0.4, 0.2, 0.1] };
/** When the last station has gone all is stored within so long: what the intake tells is of what it has in hand. */
const MOST_BEHIND_SECONDS = 3;
/** Long enough to see whether it grows; and where it did not, long enough to be sure. */
const LAG_MS = { long: [6_000, 20_000], short: [4_000] };

/** Everything that a message passes: gateway, Redis, intake, Postgres; and how fast it may go on with all of it on these cores. */
export const system: Bench = {
  id: "system",
  title: "the whole system: gateway, Redis, intake and Postgres, MeterValues with everything stored",
  async run(context) {
    const lab = await openLab(context);
    const scene = await setSystemScene(context.folder, STATIONS, lab.generator);
    try {
      // What code is compiled by, and counts for nobody.
      await scene.play({ measureMs: 2_000 });
      const ours: SystemFigures[] = [];
      const row = await cost(context, lab, scene, ours);
      const us = median(ours.map((one) => wholeUs(one) + one.generatorUs));
      return [row, await lag(context, scene, (allowedCpus().length * 1e6) / us)];
    } finally {
      await scene.close();
    }
  },
};

/** At saturation, as the reference, and until everything is stored. */
async function cost(context: BenchContext, lab: Lab, scene: SystemScene, ours: SystemFigures[]): Promise<BenchRow> {
  const reference = await startReference("uws-validated", { ...context, ...lab });
  const theirs: number[] = [];
  try {
    for (let repetition = 1; repetition <= context.repetitions; repetition += 1) {
      const visits = await measureInTurn({
        ...lab,
        contenders: [reference],
        phases: ["MeterValues"],
        repetitions: 1,
        connections: STATIONS,
        report: context.report,
      });
      theirs.push(...costs(visits(reference.name, "MeterValues")));
      const found = await scene.play({ measureMs: 3_000 });
      ours.push(found);
      context.report(`${repetition}/${context.repetitions} whole system: ${tell(found)}`);
    }
  } finally {
    await reference.stop();
  }
  const part = (name: keyof SystemFigures["partUs"]) =>
    `${name} ${median(ours.map(({ partUs }) => partUs[name])).toFixed(1)}`;
  return {
    what: "the whole system, MeterValues answered and stored, CPU per message against uws-validated",
    figure: medianRatio(ours.map(wholeUs), theirs),
    unit: "×",
    target: { atMost: 10 },
    fails: { above: 25 },
    behind: `${median(ours.map(wholeUs)).toFixed(1)} µs (${part("gateway")}, ${part("redis")}, ${part("intake")}, ${part("postgres")}), uws-validated ${median(theirs).toFixed(1)} µs; each message is in the log and each reading stored, which is counted`,
  };
}

/** The highest rate at which the intake does not fall behind, from above. */
async function lag({ short, report }: BenchContext, scene: SystemScene, capacity: number): Promise<BenchRow> {
  const form = short ? "short" : "long";
  let above = "";
  for (const share of LAG_SHARES[form]) {
    const rate = Math.round(capacity * share);
    for (const measureMs of LAG_MS[form]) {
      const found = await scene.play({ rate, measureMs });
      const thirds = thirdsOf(found.lagsSeconds);
      const said = `lag ${thirds.map((seconds) => seconds.toFixed(2)).join(" → ")} s, all stored ${found.behindSeconds.toFixed(1)} s after the end`;
      report(`${rate}/s for ${measureMs / 1_000} s: ${said}; ${tell(found)}`);
      const isCarried = isFlat(thirds) && found.behindSeconds < MOST_BEHIND_SECONDS && found.held < found.stored / 100;
      if (!isCarried) {
        above = `; at ${rate}/s ${found.held < found.stored / 100 ? said : `${found.held} messages had to wait`}`;
        break;
      }
      if (measureMs !== LAG_MS[form].at(-1)) continue;
      return {
        what: `lag of the intake after ${measureMs / 1_000} s at ${rate} MeterValues a second, the highest rate tried that ${allowedCpus().length} cores carry with everything on them`,
        // Less than a look can tell is as much as one can tell.
        figure: Math.max(0.01, thirds[2]),
        unit: "s",
        target: { atMost: 1 },
        behind: `${said} (the intake's, thirds of the time); p50 of answers ${(found.p50Us / 1_000).toFixed(1)} ms, ${wholeUs(found).toFixed(0)} µs a message in all${above}`,
      };
    }
  }
  throw new Error(`the intake fell behind at every rate${above}`);
}

const wholeUs = ({ partUs }: SystemFigures): number => Object.values(partUs).reduce((sum, us) => sum + us, 0);

const tell = (found: SystemFigures): string =>
  `${wholeUs(found).toFixed(1)} µs (${Object.entries(found.partUs)
    .map(([name, us]) => `${name} ${us.toFixed(1)}`)
    .join(", ")}), ${Math.round(found.answeredPerSecond)}/s, ${found.stored} stored`;
