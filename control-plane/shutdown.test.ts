import { pino } from "pino";
import { expect, test } from "vitest";
import { createShutdown } from "./shutdown.ts";

const log = pino({ level: "silent" });

test("steps run in order and once, however often it is asked", async () => {
  const ran: string[] = [];
  const shutdown = createShutdown(
    ["a", "b"].map((name) => ({ name, run: () => ran.push(name) })),
    1_000,
    log,
  );
  expect(await Promise.all([shutdown(), shutdown()])).toEqual([0, 0]);
  expect(ran).toEqual(["a", "b"]);
});

test("a failed step does not skip the next, and the exit code tells", async () => {
  const ran: string[] = [];
  const fail = () => {
    throw new Error("no");
  };
  expect(
    await createShutdown(
      [
        { name: "a", run: fail },
        { name: "b", run: () => ran.push("b") },
      ],
      1_000,
      log,
    )(),
  ).toBe(1);
  expect(ran).toEqual(["b"]);
});

test("a step that hangs ends at the deadline", async () => {
  expect(await createShutdown([{ name: "hangs", run: () => new Promise(() => {}) }], 5, log)()).toBe(1);
});
