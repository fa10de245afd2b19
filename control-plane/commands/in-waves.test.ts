import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { inWaves } from "./in-waves.ts";

test("so many at a time, and the results in the order of the items", async () => {
  let open = 0;
  let most = 0;
  const results = await inWaves([5, 1, 4, 2, 3], 2, async (turns) => {
    most = Math.max(most, (open += 1));
    for (let n = 0; n < turns; n += 1) await turn();
    open -= 1;
    return turns * 10;
  });
  expect([results, most]).toEqual([[50, 10, 40, 20, 30], 2]);
});

test("behind a fault nothing more is begun: who asked is told that it failed", async () => {
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    await turn();
    if (item === 1) throw new Error("no Postgres");
    await turn();
  };
  await expect(inWaves([1, 2, 3, 4, 5, 6], 2, work)).rejects.toThrow("no Postgres");
  for (let n = 0; n < 10; n += 1) await turn();
  expect(begun).toEqual([1, 2]);
});
