import { expect, test } from "vitest";
import { PingWheel } from "./ping-wheel.ts";

function scene() {
  let turn = () => {};
  const wheel = new PingWheel<{ ping(): void }>(25_000, {
    every: (ms, run) => {
      expect(ms).toBe(1_000);
      turn = run;
      return { cancel() {} };
    },
  });
  const station = () => {
    const pings: number[] = [];
    return { pings, ping: () => pings.push(second) };
  };
  let second = 0;
  const pass = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      second += 1;
      turn();
    }
  };
  return { wheel, station, pass };
}

test("each socket is pinged once per interval, the first time one interval after it came", () => {
  const { wheel, station, pass } = scene();
  const [first, second] = [station(), station()];
  wheel.add(first);
  pass(10);
  wheel.add(second);
  pass(65);
  expect(first.pings).toEqual([25, 50, 75]);
  expect(second.pings).toEqual([35, 60]);
});

test("a removed socket is left alone", () => {
  const { wheel, station, pass } = scene();
  const gone = station();
  wheel.add(gone);
  wheel.remove(gone);
  pass(50);
  expect(gone.pings).toEqual([]);
});
