import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, Member } from "../contract.ts";
import { startWithFailpoint, strike } from "../failpoints/failpoints.ts";
import { watchOutside } from "./told-outside.ts";

/** Decisions, jobs and api that die at the worst moment, and the way to them that breaks. */
export const CONTROL_PLANE_FAULTS: readonly Fault[] = [
  {
    id: "A17",
    title: "the gRPC streams between the halves break again and again",
    topologies: ["single"],
    async run({ system, scale, withCommands }) {
      const cuts = scale.pick("A17.cuts", 4, 60);
      await withCommands(2, async () => {
        for (let cut = 0; cut < cuts; cut++) {
          await sleep(scale.pick("A17.seconds", 3, 5) * 1_000);
          await system.decisionsWay.cut();
        }
      });
      return { scaled: `${cuts} times` };
    },
  },
  {
    id: "A3-decisions",
    title: "a decisions process dies after its commit, before it answers",
    topologies: ["single"],
    async run({ system, scale, until }) {
      const deaths = scale.pick("A3-decisions.deaths", 2, 20);
      for (let death = 0; death < deaths; death++) {
        const decisions = system.decisions[death % system.decisions.length] as Member;
        await decisions.stop();
        await startWithFailpoint(decisions, "after-commit:insert into transactions");
        // The gateways' streams went to the other one: it leaves, so that they come back.
        const other = system.decisions[(death + 1) % system.decisions.length] as Member;
        await other.stop();
        strike(decisions);
        await until("it has died", () => !decisions.running(), 60_000);
        await Promise.all(system.decisions.map((one) => one.start()));
      }
      return { scaled: `${deaths} deaths` };
    },
  },
  {
    id: "A3-api",
    title: "an api process dies after a command's row is committed, before it is published",
    topologies: ["single"],
    async run({ system, scale, until, withCommands }) {
      const deaths = scale.pick("A3-api.deaths", 2, 20);
      await withCommands(10, async () => {
        for (let death = 0; death < deaths; death++) {
          const api = system.apis[death % system.apis.length] as Member;
          await api.stop();
          await startWithFailpoint(api, "after-commit:insert into commands");
          await sleep(500);
          strike(api);
          await until("it has died", () => !api.running(), 30_000);
          await api.start();
        }
      });
      return { scaled: `${deaths} deaths` };
    },
  },
  {
    id: "A18",
    title: "jobs processes: one stands still past its jobs' locks, one is killed in the middle of its work",
    topologies: ["single"],
    async run({ system, scale }) {
      // A job's lock is 30 s, and stalled jobs are looked for every 30 s.
      const seconds = scale.pick("A18.seconds", 35, 70);
      const kills = scale.pick("A18.kills", 2, 20);
      const [first, second] = system.jobs as [Member, Member];
      const outside = await watchOutside(system);
      try {
        await first.stop();
        await startWithFailpoint(first, `block-loop:${seconds}`);
        strike(first);
        for (let kill = 0; kill < kills; kill++) {
          await outside.signUp();
          await sleep(((seconds * 1_000) / kills) * 0.8);
          await second.kill();
          await second.start();
          await outside.signUp();
        }
        await sleep(seconds * 200);
        const { breaches, notes } = await outside.judge(90_000);
        await first.stop();
        await first.start();
        return { scaled: `${seconds} s, ${kills} kills`, breaches, notes };
      } finally {
        await outside.close();
      }
    },
  },
];
