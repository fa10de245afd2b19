import { expect, test } from "vitest";
import { BoundedWork } from "./bounded-work.ts";

test("so many run, so many wait in order, and the next is not begun", async () => {
  const work = new BoundedWork({ concurrency: 2, waiting: 1 });
  const finish: (() => void)[] = [];
  const begun: string[] = [];
  const piece = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve) => finish.push(() => resolve(name)));
  };
  const [a, b, c, d] = [work.run(piece("a")), work.run(piece("b")), work.run(piece("c")), work.run(piece("d"))];
  expect(await d).toBeUndefined();
  expect(begun).toEqual(["a", "b"]);
  expect(work.size).toBe(3);
  finish[1]?.();
  expect(await b).toBe("b");
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "c"]);
  finish[0]?.();
  finish[2]?.();
  expect(await Promise.all([a, c])).toEqual(["a", "c"]);
  expect(work.size).toBe(0);
});

test("work that fails makes room too", async () => {
  const work = new BoundedWork({ concurrency: 1, waiting: 0 });
  await expect(work.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await work.run(() => Promise.resolve(1))).toBe(1);
});
