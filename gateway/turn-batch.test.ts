import { expect, test } from "vitest";
import { batchPerTurn } from "./turn-batch.ts";

test("what is asked in one turn is asked together, so many at a time, and each gets its own answer", async () => {
  const batches: number[][] = [];
  const ask = batchPerTurn<number, string>(3, async (questions) => {
    batches.push([...questions]);
    return questions.map((question) => `answer ${question}`);
  });
  expect(await Promise.all([1, 2, 3, 4].map(ask))).toEqual(["answer 1", "answer 2", "answer 3", "answer 4"]);
  expect(await ask(5)).toBe("answer 5");
  expect(batches).toEqual([[1, 2, 3], [4], [5]]);
});

test("an error is for its own question alone, a rejection for all of its batch", async () => {
  const ask = batchPerTurn<number, string>(2, async (questions) => {
    if (questions.includes(9)) throw new Error("away");
    return questions.map((question) => (question === 2 ? new Error("odd") : `answer ${question}`));
  });
  const outcomes = await Promise.allSettled([1, 2, 3, 9, 4].map(ask));
  expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : outcome.reason.message))).toEqual([
    "answer 1",
    "odd",
    "away",
    "away",
    "answer 4",
  ]);
});

test("an answer that is missing rejects: nobody waits for ever", async () => {
  const ask = batchPerTurn<number, string>(2, async () => ["one"]);
  await expect(Promise.all([ask(1), ask(2)])).rejects.toThrow("no answer in the batch");
});
