import { median, medianRatio } from "../arithmetic.ts";
import type { Bench, BenchRow } from "../contract.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { openLab, startReference, type Reference, type ReferenceName } from "../lab.ts";
import { costs, describe, measureInTurn } from "../measure-in-turn.ts";

/** What is to be reached of which reference's capacity; far below, the short form fails. */
const TARGETS: readonly { reference: ReferenceName; phase: string; atLeast: number; failsBelow: number }[] = [
  { reference: "uws-validated", phase: "MeterValues", atLeast: 1.35, failsBelow: 0.7 },
  { reference: "uws-validated", phase: "StatusNotification", atLeast: 1.15, failsBelow: 0.6 },
  { reference: "uws-validated", phase: "Heartbeat", atLeast: 0.87, failsBelow: 0.45 },
  { reference: "uws-constant", phase: "MeterValues", atLeast: 0.6, failsBelow: 0.3 },
  { reference: "uws-constant", phase: "Heartbeat", atLeast: 0.7, failsBelow: 0.35 },
  { reference: "ocpp-rpc-strict", phase: "MeterValues", atLeast: 4, failsBelow: 1.5 },
  { reference: "ocpp-rpc-strict", phase: "StatusNotification", atLeast: 4, failsBelow: 1.5 },
  { reference: "ocpp-rpc-strict", phase: "Heartbeat", atLeast: 4, failsBelow: 1.5 },
];

/** One gateway process with an answer that is durable in Redis, against servers that store nothing. */
export const ocpp16: Bench = {
  id: "ocpp-1.6",
  title: "OCPP 1.6, 1,000 stations on one gateway, durable (AOF everysec)",
  async run(context) {
    const lab = await openLab(context);
    const references: Reference[] = [];
    const world = await startGatewayWorld({ ...context, ...lab, stations: 1_000 });
    try {
      for (const name of ["uws-constant", "uws-validated", "ocpp-rpc-strict"] as const)
        references.push(await startReference(name, { ...context, ...lab }));
      const visits = await measureInTurn({
        ...lab,
        ...context,
        contenders: [...references, world.contender("ours")],
        phases: ["Heartbeat", "StatusNotification", "MeterValues"],
        connections: 1_000,
      });
      return TARGETS.map(({ reference, phase, atLeast, failsBelow }): BenchRow => {
        const ours = visits("ours", phase);
        const theirs = visits(reference, phase);
        return {
          what: `${phase}, durable, against ${reference}`,
          figure: medianRatio(costs(theirs), costs(ours)),
          unit: "×",
          target: { atLeast },
          fails: { below: failsBelow },
          behind: [
            `ours ${describe(ours)}, reference ${describe(theirs)}`,
            `Redis ${median(ours.map(({ redisUs }) => redisUs)).toFixed(1)} µs a message`,
            ...(reference === "ocpp-rpc-strict" ? [floor(costs(theirs), costs(visits("uws-constant", phase)))] : []),
          ].join(", "),
        };
      });
    } finally {
      await Promise.all([world.close(), ...references.map((reference) => reference.stop())]);
    }
  },
};

/** How far anybody could get on this runtime. */
const floor = (theirs: number[], constant: number[]) => `uws-constant ${medianRatio(theirs, constant).toFixed(2)} ×`;
