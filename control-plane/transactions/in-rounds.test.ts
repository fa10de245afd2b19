import { expect, test } from "vitest";
import { inRounds } from "./in-rounds.ts";

test("what has the same key comes one after the other, in its order; what has none comes first", () => {
  const keyOf = (item: string) => (item.startsWith("-") ? undefined : item[0]);
  expect(inRounds(["a1", "b1", "a2", "-", "a3", "-", "b2"], keyOf)).toEqual([
    ["a1", "b1", "-", "-"],
    ["a2", "b2"],
    ["a3"],
  ]);
  expect(inRounds([], keyOf)).toEqual([]);
});
