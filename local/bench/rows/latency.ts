import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import type { Redis } from "ioredis";
import { median } from "../arithmetic.ts";
import type { Bench, BenchRow } from "../contract.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { openLab, startReference } from "../lab.ts";
import { measureInTurn, type Contender, type Visit } from "../measure-in-turn.ts";

const PHASE = "MeterValues";
/** Of saturation, in per cent: small batches cost more for each message, and the flush rule is chosen by how much. */
const PARTS = [10, 50, 100] as const;

type Visits = Record<(typeof PARTS)[number], Visit>;

/** What durability adds to an answer while there is room, beside what Redis takes by itself for such an entry; and what a message costs then. */
export const latency: Bench = {
  id: "latency",
  title: "latency that durability adds at a tenth of saturation, and what a message costs at 10, 50 and 100 % of it",
  async run(context) {
    const lab = await openLab(context);
    const world = await startGatewayWorld({ ...context, ...lab, stations: 1_000 });
    const reference = await startReference("uws-validated", { ...context, ...lab }).catch(async (cause: unknown) => {
      await world.close();
      throw cause;
    });
    const visit = async (contender: Contender, rate?: number, mayWait = false) => {
      const visits = await measureInTurn({
        ...lab,
        contenders: [contender],
        phases: [PHASE],
        repetitions: 1,
        connections: 1_000,
        ...(rate !== undefined && { rate, mayWait }),
        report: context.report,
      });
      return visits(contender.name, PHASE)[0] as Visit;
    };
    try {
      const ours = world.contender("ours");
      // At once for the first time: at a tenth of it there is too little for V8 to compile what it runs.
      await visit(reference);
      await visit(ours);
      const repetitions: { mine: Visits; theirs: Visits; roundTripUs: number }[] = [];
      for (let repetition = 1; repetition <= context.repetitions; repetition += 1) {
        const full = await visit(ours);
        const rateOf = (percent: number) => Math.round((full.perSecond * percent) / 100);
        const before = await lastEntries(world.redis);
        let after = before;
        const tidy = async () => void (after = await lastEntries(world.redis));
        const tenth = await visit({ ...ours, tidy }, rateOf(10));
        await world.tidy();
        // As often as the gateway sends an entry, and from its CPU: whoever slept takes longer to answer.
        const { p50Us: roundTripUs } = await lab.generator.roundTrip({
          port: world.redisPort,
          bytes: after.bytes,
          rate: ((after.number - before.number) * 1_000) / (lab.warmMs + lab.measureMs),
          measureMs: lab.measureMs,
          from: lab.cores.server,
        });
        const mine = { 10: tenth, 50: await visit(ours, rateOf(50), true), 100: full };
        const theirs = {
          10: await visit(reference, rateOf(10)),
          50: await visit(reference, rateOf(50), true),
          100: await visit(reference),
        };
        repetitions.push({ mine, theirs, roundTripUs });
        context.report(`${repetition}/${context.repetitions} XADD of ${after.bytes} bytes alone: ${roundTripUs} µs`);
      }
      const middle = (figure: (one: (typeof repetitions)[number]) => number) => median(repetitions.map(figure));
      const curve = (whose: "mine" | "theirs") =>
        PARTS.map((part) => `${middle((one) => one[whose][part].serverUs).toFixed(1)} µs at ${part} %`).join(", ");
      return [
        {
          what: `${PHASE} at a tenth of saturation (${Math.round(middle((one) => one.mine[10].perSecond))}/s): p50 added by durability, in Redis's own round trips`,
          figure: middle((one) => (one.mine[10].p50Us - one.theirs[10].p50Us) / one.roundTripUs),
          unit: "×",
          target: { atMost: 1.5 },
          fails: { above: 12 },
          behind: `p50 ours ${middle((one) => one.mine[10].p50Us)} µs, uws-validated ${middle((one) => one.theirs[10].p50Us)} µs, one XADD ${middle((one) => one.roundTripUs)} µs`,
        },
        {
          what: `${PHASE}, cost of a message at a tenth of saturation against saturation`,
          figure: middle((one) => one.mine[10].serverUs / one.mine[100].serverUs),
          unit: "×",
          fails: { above: 20 },
          behind: `${curve("mine")} (of ${Math.round(middle((one) => one.mine[100].perSecond))}/s); uws-validated at the same rates, and at its own saturation: ${curve("theirs")}`,
        },
      ] satisfies BenchRow[];
    } finally {
      await Promise.all([world.close(), reference.stop()]);
    }
  },
};

/** The number of the lane's last entry, which a gateway counts from 1, and how long the last hundred are on average. */
async function lastEntries(redis: Redis): Promise<{ number: number; bytes: number }> {
  const [laneId] = await redis.hkeys(LANES);
  if (laneId === undefined) throw new Error("the gateway has no lane");
  const entries = await redis.xrevrangeBuffer(lane(laneId), "+", "-", "COUNT", 100);
  const [last] = entries;
  const sizes = entries.map(([, fields]) => fields.reduce((sum, field) => sum + field.length, 0));
  return {
    number: last === undefined ? 0 : Number.parseInt(String(last[0]), 10),
    bytes: Math.round(sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, sizes.length)),
  };
}
