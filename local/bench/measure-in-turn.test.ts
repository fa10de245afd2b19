import { describe as suite, expect, test } from "vitest";
import type { LoadGenerator, PhaseFigures } from "./load-generator.ts";
import { costs, MachineTooBusy, measureInTurn } from "./measure-in-turn.ts";

const GOOD: PhaseFigures = {
  phase: "Heartbeat",
  seconds: 2,
  messages: 100_000,
  cpuSeconds: { server: 1, redis: 0.1, generator: 1 },
  waitedSeconds: { server: 0.1, redis: 0, generator: 0 },
  ...{ p50Us: 1_000, p99Us: 2_000, p999Us: 3_000, maxUs: 4_000 },
  ...{ wrong: 0, lost: 0, unanswered: 0, held: 0, longestSilenceMs: 5 },
};

/** A load generator that finds what it is told to, and notes where it went. */
function scripted(find: (port: number) => Partial<PhaseFigures>) {
  const visited: (number | undefined)[] = [];
  const calls: LoadGenerator["calls"] = async ({ ports, phases }) => {
    visited.push(ports[0]);
    return phases.map((phase) => ({ ...GOOD, ...find(ports[0] ?? 0), phase }));
  };
  return { generator: { calls } as LoadGenerator, visited };
}

const contenders = [1, 2, 3].map((port) => ({
  name: `server ${port}`,
  target: { ports: [port], path: "/" },
  watch: { server: [port] },
}));
const plan = {
  contenders,
  phases: ["Heartbeat", "MeterValues"],
  connections: 10,
  warmMs: 1,
  measureMs: 1,
  report() {},
};

suite("measuring in turn", () => {
  test("contenders are visited there and back, and cost CPU per message", async () => {
    const { generator, visited } = scripted((port) => ({ cpuSeconds: { server: port, redis: 0.1 } }));
    const visits = await measureInTurn({ ...plan, generator, repetitions: 2 });
    // Once to be compiled, then the measured ones.
    expect(visited).toEqual([1, 2, 3, 1, 2, 3, 3, 2, 1]);
    expect(costs(visits("server 2", "MeterValues"))).toEqual([20, 20]);
    expect(visits("server 1", "Heartbeat")[0]).toEqual({
      messages: 100_000,
      serverUs: 10,
      redisUs: 1,
      perSecond: 50_000,
      p50Us: 1_000,
      busy: 0.5,
    });
    expect(visits("server 4", "Heartbeat")).toEqual([]);
  });

  test.each([
    [{ wrong: 1 }, "1 wrong answers"],
    [{ lost: 2 }, "2 lost connections"],
    [{ unanswered: 3 }, "3 unanswered"],
    [{ longestSilenceMs: 1_500 }, "stood still for 1500 ms"],
    [{ messages: 0 }, "stood still"],
    [{ held: 2_000 }, "rate was too high"],
    [{ cpuSeconds: { redis: 1 } }, "no CPU was counted"],
    [{ cpuSeconds: { server: 0 } }, "no CPU was counted"],
  ])("figures with %j are none", async (found, said) => {
    const { generator } = scripted((port) => (port === 3 ? found : {}));
    await expect(measureInTurn({ ...plan, generator, repetitions: 1 })).rejects.toThrow(said);
  });

  test("a server that stands still is visited again, and the machine is to blame only where others had the CPU", async () => {
    let looks = 0;
    const once = scripted((port) => (port === 3 && (looks += 1) < 3 ? { longestSilenceMs: 2_000 } : {}));
    const visits = await measureInTurn({ ...plan, generator: once.generator, repetitions: 1 });
    expect(visits("server 3", "Heartbeat")).toHaveLength(1);

    const stuck = scripted(() => ({ longestSilenceMs: 2_000 }));
    const blamed = await measureInTurn({ ...plan, generator: stuck.generator, repetitions: 1 }).catch(
      (e: unknown) => e,
    );
    expect(blamed).not.toBeInstanceOf(MachineTooBusy);
    expect(String(blamed)).toContain("3 times");

    const crowded = scripted(() => ({ longestSilenceMs: 2_000, waitedSeconds: { server: 1.5 } }));
    await expect(measureInTurn({ ...plan, generator: crowded.generator, repetitions: 1 })).rejects.toThrow(
      MachineTooBusy,
    );
  });

  test("a rate that is too high is no fault where only the cost is asked", async () => {
    const { generator } = scripted(() => ({ held: 2_000 }));
    const visits = await measureInTurn({ ...plan, generator, repetitions: 1, rate: 9, mayWait: true });
    expect(costs(visits("server 1", "Heartbeat"))).toEqual([10]);
  });
});
