import { expect, test } from "vitest";
import { BoundedWork } from "./bounded-work.ts";
import { QuestionBatches } from "./question-batches.ts";

const FOREVER = Infinity;

/** Batches that are decided when the test says so. */
function scene({
  parallel = 1,
  maxBatch = 10,
  waiting = 100,
  concurrency = 4,
  room = 100,
  decideAlone = async (question: string) => `${question}.`,
} = {}) {
  const batches: { questions: readonly string[]; decide(answers?: (string | undefined)[]): void }[] = [];
  const alone: string[] = [];
  const sizes: number[] = [];
  const asked = new QuestionBatches<string, string>({
    work: new BoundedWork({ concurrency, waiting: room }),
    parallel,
    maxBatch,
    waiting,
    decideTogether: (questions) =>
      new Promise((resolve) => {
        batches.push({ questions, decide: (answers = questions.map((one) => `${one}!`)) => resolve(answers) });
      }),
    async decideAlone(question) {
      alone.push(question);
      return decideAlone(question);
    },
    onBatch: (questions) => sizes.push(questions),
  });
  const turns = async () => {
    for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return { asked, batches, alone, sizes, turns };
}

test("a question that comes alone is decided at once, by itself", async () => {
  const { asked, alone, batches, sizes } = scene();
  expect(await asked.ask("a", FOREVER)).toBe("a.");
  expect([alone, batches, sizes]).toEqual([["a"], [], [1]]);
  expect(asked.size).toBe(0);
});

test("what comes while a batch is decided is decided together, in order, and no more than a batch holds", async () => {
  const { asked, batches, turns } = scene({ maxBatch: 3 });
  const first = ["a", "b"].map((one) => asked.ask(one, FOREVER));
  await turns();
  const later = ["c", "d", "e", "f", "g"].map((one) => asked.ask(one, FOREVER));
  await turns();
  expect(batches.map(({ questions }) => questions)).toEqual([["a", "b"]]);
  expect(asked.size).toBe(7);
  batches[0]?.decide();
  expect(await Promise.all(first)).toEqual(["a!", "b!"]);
  await turns();
  batches[1]?.decide();
  await turns();
  batches[2]?.decide();
  expect(await Promise.all(later)).toEqual(["c!", "d!", "e!", "f!", "g!"]);
  expect(batches.map(({ questions }) => questions)).toEqual([
    ["a", "b"],
    ["c", "d", "e"],
    ["f", "g"],
  ]);
});

test("what a batch leaves is decided alone, and holds up no other batch", async () => {
  const { asked, batches, alone, turns } = scene();
  const answers = ["a", "b", "c"].map((one) => asked.ask(one, FOREVER));
  await turns();
  batches[0]?.decide(["a!", undefined, "c!"]);
  expect(await Promise.all(answers)).toEqual(["a!", "b.", "c!"]);
  expect(alone).toEqual(["b"]);
});

test("those who are decided alone and do not come to an end leave room for batches", async () => {
  const { asked, batches, alone, turns } = scene({ decideAlone: () => new Promise(() => {}) });
  const stuck = ["a", "b", "c", "d", "e"].map((one) => asked.ask(one, FOREVER));
  await turns();
  batches[0]?.decide(stuck.map(() => undefined));
  await turns();
  expect(alone).toEqual(["a", "b"]);
  const others = ["f", "g"].map((one) => asked.ask(one, FOREVER));
  await turns();
  batches[1]?.decide();
  expect(await Promise.all(others)).toEqual(["f!", "g!"]);
});

test("a question for which there is no room, or whose time is over before its turn, is not decided", async () => {
  const { asked, batches, turns } = scene({ waiting: 2 });
  const running = ["a", "b"].map((one) => asked.ask(one, FOREVER));
  await turns();
  const [late, inTime] = [asked.ask("late", performance.now() - 1), asked.ask("c", FOREVER)];
  expect(await asked.ask("too many", FOREVER)).toBeUndefined();
  batches[0]?.decide();
  expect(await Promise.all([...running, late, inTime])).toEqual(["a!", "b!", undefined, "c."]);
  expect(asked.size).toBe(0);
});

test("where there is no room for a batch, all who wait are told so", async () => {
  const { asked, batches, turns } = scene({ concurrency: 1, room: 0, parallel: 2 });
  const first = ["a", "b"].map((one) => asked.ask(one, FOREVER));
  await turns();
  expect(await Promise.all(["c", "d"].map((one) => asked.ask(one, FOREVER)))).toEqual([undefined, undefined]);
  batches[0]?.decide();
  expect(await Promise.all(first)).toEqual(["a!", "b!"]);
});
