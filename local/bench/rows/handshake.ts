import { median, medianRatio } from "../arithmetic.ts";
import type { Bench, BenchContext } from "../contract.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { openLab, startReference, type Lab } from "../lab.ts";
import type { Contender } from "../measure-in-turn.ts";

/** What letting a station in costs: its record read, its password checked, its ownership taken, the session told to the lane. */
export const handshake: Bench = {
  id: "handshake",
  title: "handshake with credentials from Redis, ownership taken and registered",
  async run(context) {
    const lab = await openLab(context);
    const stations = context.short ? 2_000 : 5_000;
    const world = await startGatewayWorld({ ...context, ...lab, stations });
    const bare = await startReference("uws-handshake", { ...context, ...lab }).catch(async (cause: unknown) => {
      await world.close();
      throw cause;
    });
    try {
      const ours = world.contender("ours");
      // Credentials are sent to both, so that both have the same to read.
      const theirs: Contender = { ...bare, target: { ...ours.target, ...bare.target } };
      // The first time nothing is compiled yet.
      for (const contender of [theirs, ours]) await connectAll(contender, stations, lab);
      const [mine, bares]: [number[], number[]] = [[], []];
      for (let repetition = 1; repetition <= context.repetitions; repetition += 1) {
        bares.push(await connectAll(theirs, stations, lab));
        mine.push(await connectAll(ours, stations, lab));
        tellOne(context, repetition, bares, mine);
      }
      return [
        {
          what: "handshakes per CPU, let in with everything, against bare uWebSockets.js with the header parsed",
          figure: medianRatio(bares, mine),
          unit: "×",
          target: { atLeast: 0.5 },
          fails: { below: 0.05 },
          behind: `ours ${median(mine).toFixed(0)} µs, bare ${median(bares).toFixed(0)} µs a handshake (${stations} at once, 256 at a time)`,
        },
      ];
    } finally {
      await Promise.all([world.close(), bare.stop()]);
    }
  },
};

/** Connects all and gives the server's CPU in µs per handshake, what it does behind the answer included. */
async function connectAll(
  { target, watch, tidy }: Contender,
  connections: number,
  { generator }: Lab,
): Promise<number> {
  const held = await generator.hold({ ...target, connections, watch, settleMs: 1_000 });
  await held.release();
  await tidy?.();
  return ((held.figures.cpuSeconds["server"] ?? 0) / connections) * 1e6;
}

function tellOne({ report, repetitions }: BenchContext, repetition: number, bares: number[], mine: number[]): void {
  report(`${repetition}/${repetitions} bare ${bares.at(-1)?.toFixed(0)} µs, ours ${mine.at(-1)?.toFixed(0)} µs`);
}
