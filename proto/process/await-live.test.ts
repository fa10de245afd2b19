import { pino } from "pino";
import { expect, test } from "vitest";
import { awaitLive, readAwaitArguments } from "./await-live.ts";

function clock() {
  let atMs = 0;
  return { nowMs: () => atMs, pause: async (ms: number) => void (atMs += ms) };
}
const log = pino({ level: "silent" });

test("waits until each has answered once, and asks nobody again who has", async () => {
  const time = clock();
  const asked: string[] = [];
  const answers = async (url: string) => {
    asked.push(url);
    return url === "http://a" || time.nowMs() >= 3_000;
  };
  expect(await awaitLive(["http://a", "http://b"], 60_000, { answers, ...time, log })).toEqual([]);
  expect(asked.filter((url) => url === "http://a")).toHaveLength(1);
  expect(time.nowMs()).toBe(3_000);
});

test("goes on at its limit: who is down for good holds up nobody for ever", async () => {
  const time = clock();
  const answers = async (url: string) => url === "http://a";
  expect(await awaitLive(["http://a", "http://b"], 5_000, { answers, ...time, log })).toEqual(["http://b"]);
  expect(time.nowMs()).toBe(5_000);
});

test("reads its arguments, and names what it does not know", () => {
  expect(readAwaitArguments(["--limit-seconds=7", "http://x:9100/livez"])).toEqual({
    urls: ["http://x:9100/livez"],
    limitMs: 7_000,
  });
  expect(() => readAwaitArguments(["x:9100"])).toThrow("x:9100");
});
