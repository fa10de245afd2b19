import { expect, test } from "vitest";
import { parseCpuList, shareCores } from "./cores.ts";

test("the kernel's list of CPUs is read", () => {
  expect(parseCpuList("0-1")).toEqual([0, 1]);
  expect(parseCpuList("2,4-6,9")).toEqual([2, 4, 5, 6, 9]);
  expect(parseCpuList("")).toEqual([]);
});

test("the server has a CPU of its own; on a single one nothing is measured", () => {
  expect(shareCores([2, 4, 5])).toEqual({ server: "2", others: "4,5" });
  expect(() => shareCores([0])).toThrow("two CPUs");
});
