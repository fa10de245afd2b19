import { expect, test } from "vitest";
import { afterCatchingUp } from "./sweep-deadlines.ts";

test("at the start and after an outage of Postgres the intake has its time to file what the lanes hold", async () => {
  let atMs = 5_000;
  let ended = 0;
  const sweep = afterCatchingUp(async () => (ended += 1), { catchUpMs: 15_000, gapMs: 18_000, nowMs: () => atMs });
  /** Once a second. @returns how often it ended commands. */
  const look = async (seconds: number): Promise<number> => {
    const before = ended;
    for (let second = 0; second < seconds; second += 1) {
      atMs += 1_000;
      await sweep();
    }
    return ended - before;
  };
  expect([await look(14), await look(10)]).toEqual([0, 10]);
  // Nothing reaches Postgres, not even the lock under which it would run.
  atMs += 60_000;
  expect([await look(15), await look(10)]).toEqual([0, 10]);
  // Others had the lock a while.
  atMs += 10_000;
  expect(await look(3)).toBe(3);
});
