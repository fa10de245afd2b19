import { median, medianRatio } from "../arithmetic.ts";
import type { Bench } from "../contract.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { openLab, startReference } from "../lab.ts";
import { costs, describe, measureInTurn } from "../measure-in-turn.ts";

const PHASE = "TransactionEvent";

/** OCPP 2.0.1's message with meter values, which is what a charging station sends most. */
export const transactionEvent: Bench = {
  id: "transaction-event",
  title: "OCPP 2.0.1 TransactionEvent (Updated, with meter values), the same schema on both sides",
  async run(context) {
    const lab = await openLab(context);
    const world = await startGatewayWorld({ ...context, ...lab, stations: 1_000 });
    const reference = await startReference("uws-validated", { ...context, ...lab, args: ["2.0.1"] }).catch(
      async (cause: unknown) => {
        await world.close();
        throw cause;
      },
    );
    try {
      const visits = await measureInTurn({
        ...lab,
        ...context,
        contenders: [reference, world.contender("ours", "2.0.1")],
        phases: [PHASE],
        connections: 1_000,
        subprotocol: "ocpp2.0.1",
      });
      const ours = visits("ours", PHASE);
      const theirs = visits(reference.name, PHASE);
      return [
        {
          what: `${PHASE} (2.0.1), durable, against uws-validated`,
          figure: medianRatio(costs(theirs), costs(ours)),
          unit: "×",
          target: { atLeast: 1.2 },
          fails: { below: 0.6 },
          behind: `ours ${describe(ours)}, reference ${describe(theirs)}, Redis ${median(ours.map(({ redisUs }) => redisUs)).toFixed(1)} µs a message`,
        },
      ];
    } finally {
      await Promise.all([world.close(), reference.stop()]);
    }
  },
};
