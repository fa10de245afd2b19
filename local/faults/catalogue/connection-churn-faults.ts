import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, Member, StationCredentials } from "../contract.ts";
import { COLLECTING, FORGOTTEN_MS, grown, keptBy, tellKept } from "../odd-stations/kept-memory.ts";
import { connectOdd } from "../odd-stations/odd-station.ts";
import { allIn, originOf, unless, withGateway } from "../odd-stations/odd-world.ts";

/** One connection after the other, without end. */
export const CHURN_FAULTS: readonly Fault[] = [
  {
    id: "B11",
    title: "stations that connect and leave without end",
    topologies: ["single"],
    async run({ system, fleet, scale, until }) {
      const perSecond = scale.pick("B11.perSecond", 80, 500);
      const seconds = scale.pick("B11.seconds", 8, 600);
      const credentials = await system.generateStations(scale.pick("B11.stations", 160, 1_500), "1.6");
      const gateway = system.gateways[2] as Member;
      return withGateway(
        gateway,
        { ...COLLECTING, FLAPPING_CONNECTIONS: "0", HANDSHAKES_PER_SECOND: "0" },
        async () => {
          await until("the fleet is where it stays", () => allIn(fleet), 60_000);
          // At least once around: what is kept for each station that was ever here, within bounds, is there. And a process
          // that does this takes its memory within the first minute (150 → 225 MiB) and no more after it.
          await comeAndGo(
            gateway,
            credentials,
            perSecond,
            Math.max(seconds / 10, (1.5 * credentials.length) / perSecond),
          );
          const before = await keptBy(gateway);
          const { connects, refused } = await comeAndGo(gateway, credentials, perSecond, seconds);
          await sleep(FORGOTTEN_MS);
          const after = await keptBy(gateway);
          return {
            scaled: `${connects} connects in ${seconds} s`,
            breaches: [
              ...grown(before, after),
              ...unless(Object.keys(refused).length === 0, `refused: ${JSON.stringify(refused)}`),
            ],
            notes: [`${tellKept(before, after)}, behind a garbage collection each`],
          };
        },
      );
    },
  },
];

/** Connects one after the other at a steady rate; each says a Heartbeat and leaves, every other one without a close frame. */
async function comeAndGo(
  gateway: Member,
  credentials: readonly StationCredentials[],
  perSecond: number,
  seconds: number,
): Promise<{ connects: number; refused: Record<string, number> }> {
  const refused: Record<string, number> = {};
  const under = new Set<Promise<void>>();
  let connects = 0;
  const one = async (n: number) => {
    const attempt = await connectOdd({
      origin: originOf(gateway),
      credentials: credentials[n % credentials.length] as StationCredentials,
    });
    if (!attempt.ok) return void (refused[attempt.error] = (refused[attempt.error] ?? 0) + 1);
    connects += 1;
    await attempt.value.ask("Heartbeat", {});
    if (n % 2 === 0) attempt.value.vanish();
    else attempt.value.leave();
    await attempt.value.closed;
  };
  const startedAtMs = performance.now();
  const elapsed = () => (performance.now() - startedAtMs) / 1_000;
  for (let n = 0; elapsed() < seconds; await sleep(10))
    for (; n < elapsed() * perSecond && under.size < credentials.length / 2; n++) {
      const going = one(n).finally(() => under.delete(going));
      under.add(going);
    }
  await Promise.all(under);
  return { connects, refused };
}
