import { pino } from "pino";
import { expect, test } from "vitest";
import { createShutdown, type StopStep } from "./shutdown.ts";

const log = pino({ enabled: false });

function scene() {
  const done: string[] = [];
  const step = (name: string, run: StopStep["run"] = () => {}): StopStep => ({
    name,
    run: async () => {
      await run();
      done.push(name);
    },
  });
  return { done, step };
}

test("the steps run in order, and a second call is the first", async () => {
  const { done, step } = scene();
  const stop = createShutdown([step("a", () => Promise.resolve()), step("b")], 10_000, log);
  expect(await Promise.all([stop(), stop()])).toEqual([0, 0]);
  expect(done).toEqual(["a", "b"]);
});

test("a failed step shows in the exit code and does not skip the next", async () => {
  const { done, step } = scene();
  const stop = createShutdown([step("a", () => Promise.reject(new Error("broken"))), step("b")], 10_000, log);
  expect(await stop()).toBe(1);
  expect(done).toEqual(["b"]);
});

test("a step that hangs is left behind at the deadline", async () => {
  const { done, step } = scene();
  const stop = createShutdown([step("a", () => new Promise(() => {})), step("b")], 20, log);
  expect(await stop()).toBe(1);
  expect(done).toEqual([]);
});
