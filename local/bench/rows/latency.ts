import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import type { Redis } from "ioredis";
import { median } from "../arithmetic.ts";
import type { Bench } from "../contract.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { openLab, startReference } from "../lab.ts";
import { measureInTurn, type Contender, type Visit } from "../measure-in-turn.ts";

const PHASE = "MeterValues";

/** What durability adds to an answer while there is room, beside what Redis takes by itself for such an entry. */
export const latency: Bench = {
  id: "latency",
  title: "latency that durability adds, at a tenth of saturation",
  async run(context) {
    const lab = await openLab(context);
    const world = await startGatewayWorld({ ...context, ...lab, stations: 1_000 });
    const reference = await startReference("uws-validated", { ...context, ...lab }).catch(async (cause: unknown) => {
      await world.close();
      throw cause;
    });
    const visit = async (contender: Contender, rate?: number) => {
      const visits = await measureInTurn({
        ...lab,
        contenders: [contender],
        phases: [PHASE],
        repetitions: 1,
        connections: 1_000,
        ...(rate !== undefined && { rate }),
        report: context.report,
      });
      return visits(contender.name, PHASE)[0] as Visit;
    };
    try {
      const ours = world.contender("ours");
      // At once for the first time: at a tenth of it there is too little for V8 to compile what it runs.
      await visit(reference);
      await visit(ours);
      const rate = Math.round((await visit(ours)).perSecond / 10);
      const repetitions: { answerUs: number; unstoredUs: number; roundTripUs: number }[] = [];
      for (let repetition = 1; repetition <= context.repetitions; repetition += 1) {
        const unstoredUs = (await visit(reference, rate)).p50Us;
        const before = await lastEntries(world.redis);
        let after = before;
        const answerUs = (
          await visit({ ...ours, tidy: async () => void (after = await lastEntries(world.redis)) }, rate)
        ).p50Us;
        await world.tidy();
        // As often as the gateway sends an entry, and from its CPU: whoever slept takes longer to answer.
        const { p50Us: roundTripUs } = await lab.generator.roundTrip({
          port: world.redisPort,
          bytes: after.bytes,
          rate: ((after.number - before.number) * 1_000) / (lab.warmMs + lab.measureMs),
          measureMs: lab.measureMs,
          from: lab.cores.server,
        });
        repetitions.push({ answerUs, unstoredUs, roundTripUs });
        context.report(`${repetition}/${context.repetitions} XADD of ${after.bytes} bytes alone: ${roundTripUs} µs`);
      }
      const middle = (figure: keyof (typeof repetitions)[number]) => median(repetitions.map((one) => one[figure]));
      return [
        {
          what: `${PHASE} at a tenth of saturation (${rate}/s): p50 added by durability, in Redis's own round trips`,
          figure: median(repetitions.map((one) => (one.answerUs - one.unstoredUs) / one.roundTripUs)),
          unit: "×",
          target: { atMost: 1.5 },
          fails: { above: 40 },
          behind: `p50 ours ${middle("answerUs")} µs, uws-validated ${middle("unstoredUs")} µs, one XADD ${middle("roundTripUs")} µs`,
        },
      ];
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
