import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepRunning } from "./keep-running.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Run {
  ended: Promise<void>;
  end(): void;
}

function scene() {
  const runs: Run[] = [];
  const said: string[] = [];
  let starting: Promise<void> | undefined;
  let isBroken = false;
  const kept = keepRunning<Run>({
    name: "it",
    logFile: "/nowhere",
    async start() {
      await starting;
      if (isBroken) throw new Error("it did not start");
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const run = { ended, end };
      runs.push(run);
      return run;
    },
    async stop(current) {
      current.end();
    },
    say: (line) => said.push(line),
  });
  return {
    kept,
    runs,
    said,
    holdStarts() {
      const gate = Promise.withResolvers<void>();
      starting = gate.promise;
      return gate.resolve;
    },
    breakStarts(broken: boolean) {
      isBroken = broken;
    },
  };
}

test("what ends is started again, after a pause", async () => {
  const { kept, runs, said } = scene();
  await kept;
  runs[0]?.end();
  await vi.advanceTimersByTimeAsync(999);
  expect(runs).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(runs).toHaveLength(2);
  expect(said.at(-1)).toBe("it is back");
});

test("what does not start again is tried again, after longer and longer pauses", async () => {
  const { kept, runs, said, breakStarts } = scene();
  await kept;
  breakStarts(true);
  runs[0]?.end();
  await vi.advanceTimersByTimeAsync(1_000 + 2_000);
  expect(said.filter((line) => line === "it did not start")).toHaveLength(2);
  breakStarts(false);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(runs).toHaveLength(2);
});

test("a stop in the pause starts nothing more", async () => {
  const { kept, runs } = scene();
  const { stop } = await kept;
  runs[0]?.end();
  await vi.advanceTimersByTimeAsync(500);
  await stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(runs).toHaveLength(1);
});

test("a stop during a start ends what was just started", async () => {
  const { kept, runs, holdStarts } = scene();
  const { stop } = await kept;
  const letStart = holdStarts();
  runs[0]?.end();
  await vi.advanceTimersByTimeAsync(1_000);
  const stopped = stop();
  letStart();
  await stopped;
  expect(runs).toHaveLength(2);
  await runs[1]?.ended;
});
