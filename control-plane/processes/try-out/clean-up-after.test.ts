import { expect, test } from "vitest";
import { cleanUpAfter } from "./clean-up-after.ts";

const never = new Promise<never>(() => {});

interface Scene {
  work(): Promise<void>;
  over?: Promise<never>;
  cleanUp?(): Promise<void>;
}

async function outcomeOf({ work, over = never, cleanUp = async () => {} }: Scene) {
  const seen: string[] = [];
  const run = async () => {
    seen.push("cleaned up");
    await cleanUp();
  };
  const onFailure = (error: unknown) => void seen.push(`not cleaned up: ${(error as Error).message}`);
  const ended = await cleanUpAfter(work, { over, run, onFailure }).then(
    () => "well",
    (error: Error) => error.message,
  );
  return { ended, seen };
}

const fails = (message: string) => async () => {
  throw new Error(message);
};

test("work that ends well is cleaned up after", async () => {
  expect(await outcomeOf({ work: async () => {} })).toEqual({ ended: "well", seen: ["cleaned up"] });
});

test("work that never ends is cleaned up after when its time is over", async () => {
  const outcome = await outcomeOf({ work: () => never, over: Promise.reject(new Error("90 s are over")) });
  expect(outcome).toEqual({ ended: "90 s are over", seen: ["cleaned up"] });
});

test("what went wrong with the work is told, also where the clean-up fails too", async () => {
  const outcome = await outcomeOf({ work: fails("refused"), cleanUp: fails("the API is away") });
  expect(outcome).toEqual({ ended: "refused", seen: ["cleaned up", "not cleaned up: the API is away"] });
});

test("a clean-up that fails after work that went well is a failure", async () => {
  expect((await outcomeOf({ work: async () => {}, cleanUp: fails("the API is away") })).ended).toBe("the API is away");
});
