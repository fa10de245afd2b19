import { setTimeout as sleep } from "node:timers/promises";
import { askRaw, connectRaw } from "../../e2e/raw-station.ts";
import type { Fault, FaultySystem, Member } from "../contract.ts";
import { startWithFailpoint, strike, type Failpoint } from "../failpoints/failpoints.ts";

const OFFSET = `update lanes set "offset"`;

/** The intake that dies, stands still, or meets what it cannot apply. */
export const INTAKE_FAULTS: readonly Fault[] = [
  {
    id: "A3",
    title: "an intake dies in the middle of a batch, before and after its commit",
    topologies: ["single", "cluster"],
    async run({ system, scale, until }) {
      const deaths = scale.pick("A3.deaths", 2, 20);
      const failpoints: Failpoint[] = [`before-commit:${OFFSET}`, `after-commit:${OFFSET}`];
      for (let death = 0; death < deaths; death++) {
        const failpoint = failpoints[death % 2] as Failpoint;
        for (const intake of system.intakes) {
          await intake.stop();
          await startWithFailpoint(intake, failpoint);
        }
        for (const intake of system.intakes) strike(intake);
        await until("an intake has died", () => system.intakes.some((intake) => !intake.running()), 30_000);
        // The other one has lanes of its own, and dies as soon as it commits.
        await sleep(1_000);
        for (const intake of system.intakes) await intake.kill();
        for (const intake of system.intakes) await intake.start();
        await sleep(1_000);
      }
      return { scaled: `${deaths} deaths of ${system.intakes.length} intakes` };
    },
  },
  {
    id: "A10",
    title: "no intake for long",
    topologies: ["single", "cluster", "sentinel"],
    async run({ system, scale, fleet, until }) {
      const seconds = scale.pick("A10.seconds", 12, 300);
      await Promise.all(system.intakes.map((intake) => intake.stop()));
      const before = (await fleet.stats()).acknowledged;
      await sleep(seconds * 1_000);
      const waiting = (await fleet.stats()).acknowledged - before;
      const startedAtMs = performance.now();
      await Promise.all(system.intakes.map((intake) => intake.start()));
      // While the stations go on.
      await until("the intakes have caught up", async () => (await system.lag()) < 20, 300_000);
      const tookSeconds = (performance.now() - startedAtMs) / 1_000;
      const times = (seconds + tookSeconds) / tookSeconds;
      return {
        scaled: `${seconds} s`,
        notes: [
          `${waiting} messages waited, applied ${tookSeconds.toFixed(1)} s after the start: ${times.toFixed(1)} × the rate of arrival`,
        ],
      };
    },
  },
  {
    id: "A11",
    title: "an intake that holds lanes stands still and goes on when another has taken them",
    topologies: ["single"],
    async run({ system, scale, until }) {
      const seconds = scale.pick("A11.seconds", 13, 120);
      const [first, second] = system.intakes as [Member, Member];
      await second.stop();
      await until("the first has all lanes", async () => (await system.lag()) < 20, 60_000);
      first.pause();
      await second.start();
      await sleep(seconds * 1_000);
      const taken = await until("the second has taken them", async () => (await system.lag()) < 50, 60_000).then(
        () => true,
        () => false,
      );
      first.resume();
      await sleep(3_000);
      return { scaled: `${seconds} s`, breaches: taken ? [] : ["nobody has taken its lanes"] };
    },
  },
  {
    id: "A21",
    title: "a poison frame: what it tells cannot be stored, however often it is tried",
    topologies: ["single"],
    async run({ system, until }) {
      for (const intake of system.intakes) {
        await intake.stop();
        await startWithFailpoint(intake, "poison:POISON");
      }
      const [credentials] = await system.generateStations(1, "1.6");
      if (credentials === undefined) throw new Error("no station was generated");
      const station = await connectRaw(`ws://127.0.0.1:${system.gateways[0]?.port}`, credentials, "1.6");
      const status = { connectorId: 1, errorCode: "NoError", status: "Available", info: "POISON" };
      await askRaw(station, JSON.stringify([2, "poison-1", "StatusNotification", status]));
      const [from] = await system.sql<{ now: Date }>("select now()");
      await until(
        "it is set aside",
        async () => (await system.sql("select from dead_letters where frame::text like '%poison-1%'")).length === 1,
        30_000,
      );
      station.socket.terminate();
      const delayMs = await delayOf(system, from?.now ?? new Date());
      for (const intake of system.intakes) {
        await intake.stop();
        await intake.start();
      }
      return {
        scaled: "1 frame among the others",
        deadLetters: 1,
        // Of all frames that came within the second around it, the one that was filed last.
        notes: [`other stations' messages filed at most ${Math.round(delayMs)} ms after they came`],
      };
    },
  },
];

/** How long, at the most, frames that came since then waited until their lane's offset had passed them; as seen from here. */
async function delayOf(system: FaultySystem, since: Date): Promise<number> {
  const startedAtMs = performance.now();
  let worst = 0;
  while (performance.now() - startedAtMs < 3_000) {
    const [row] = await system.sql<{ delay_ms: string | null }>(
      `select extract(epoch from now() - max(received_at)) * 1000 as delay_ms from message_log where received_at >= $1`,
      [since],
    );
    worst = Math.max(worst, Number(row?.delay_ms ?? 0));
    await sleep(100);
  }
  return worst;
}
