import { median, medianRatio } from "../arithmetic.ts";
import type { Bench } from "../contract.ts";
import { everywhere } from "../cores.ts";
import { setDecisionsScene } from "../decisions/scene.ts";

/** Questions that are open on the stream at a time: of so many charge points whose drivers come at the same moment. */
const STATIONS = 1_000;
/** Of one after the other: enough to measure. */
const UNARY_STATIONS = 200;
const TURNS = 4;

/** Authorize and StartTransaction, each with its row committed, over one gateway's stream; and one unary call after the other. */
export const decisions: Bench = {
  id: "decisions",
  title: "Decisions: over the stream, and one unary call at a time",
  async run({ repetitions, short, folder, report }) {
    const scene = await setDecisionsScene(folder, everywhere(), STATIONS);
    try {
      const [stream, unary, single, alone, cpu, postgresCpu]: number[][] = [[], [], [], [], [], []];
      const few = scene.identities.slice(0, short ? 50 : UNARY_STATIONS);
      // The first one is what code is compiled by, and counts for nobody.
      for (let n = -1; n < repetitions; n += 1) {
        const before = scene.cpuMs();
        const ours = await scene.drive("stream", scene.identities, short ? 2 : TURNS);
        const after = scene.cpuMs();
        const theirs = await scene.drive("unary", few, 1);
        const one = await scene.drive("stream", few.slice(0, 1), few.length);
        const [a, b] = [ours, theirs].map(({ decisions, seconds }) => decisions / seconds) as [number, number];
        // Each pair is followed by a StopTransaction, which is not measured, but costs all the same.
        const [us, postgresUs] = (["decisions", "postgres"] as const).map(
          (name) => ((after[name] - before[name]) / (ours.decisions * 1.5)) * 1_000,
        ) as [number, number];
        report(
          `stream ${Math.round(a)}/s, p50 ${ours.p50Ms.toFixed(0)} ms, ${us.toFixed(0)} + ${postgresUs.toFixed(0)} µs; unary ${Math.round(b)}/s, p50 ${theirs.p50Ms.toFixed(2)} ms; stream, alone: p50 ${one.p50Ms.toFixed(2)} ms`,
        );
        if (n < 0) continue;
        stream?.push(a);
        unary?.push(b);
        single?.push(theirs.p50Ms);
        alone?.push(one.p50Ms);
        cpu?.push(us);
        postgresCpu?.push(postgresUs);
      }
      return [
        {
          what: `decisions (Authorize, StartTransaction) over the stream, rows committed, ${STATIONS} charge points at once, against one unary call at a time`,
          figure: medianRatio(stream ?? [], unary ?? []),
          unit: "×",
          target: { atLeast: 10 },
          fails: { below: 3 },
          behind: `${Math.round(median(stream ?? []))} and ${Math.round(median(unary ?? []))} a second; CPU of the decisions process and of Postgres ${median(cpu ?? []).toFixed(0)} + ${median(postgresCpu ?? []).toFixed(0)} µs each (StopTransactions counted in); one question alone takes ${median(alone ?? []).toFixed(2)} ms over the stream, ${median(single ?? []).toFixed(2)} ms unary`,
        },
      ];
    } finally {
      await scene.close();
    }
  },
};
