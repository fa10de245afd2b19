import { expect, test } from "vitest";
import { closeInWaves } from "./close-in-waves.ts";

function scene(count: number, waitingFrames: (i: number, nowMs: number) => number = () => 0) {
  const clock = { nowMs: 0 };
  const closes: { i: number; atMs: number; code: number }[] = [];
  const sessions = Array.from({ length: count }, (_, i) => ({
    open: true,
    get waitingFrames() {
      return waitingFrames(i, clock.nowMs);
    },
    close(code: 1012) {
      this.open = false;
      closes.push({ i, atMs: clock.nowMs, code });
    },
  }));
  const run = (deadlineMs: number) =>
    closeInWaves({
      sessions: () => sessions,
      deadlineMs,
      nowMs: () => clock.nowMs,
      pause: (ms) => {
        clock.nowMs += ms;
        return Promise.resolve();
      },
      random: () => 0.5,
    });
  return { run, closes, clock };
}

test("all are closed with 1012, at five hundred a second", async () => {
  const { run, closes } = scene(1_000);
  await run(20_000);
  expect(closes.length).toBe(1_000);
  expect(closes.every(({ code }) => code === 1012)).toBe(true);
  const perWave = Object.values(Object.groupBy(closes, ({ atMs }) => atMs)).map((wave) => wave?.length ?? 0);
  expect(Math.max(...perWave)).toBe(50);
});

test("more than that go faster, to be done by the deadline", async () => {
  const { run, closes } = scene(10_000);
  await run(2_000);
  expect(closes.length).toBe(10_000);
  expect(Math.max(...closes.map(({ atMs }) => atMs))).toBeLessThanOrEqual(2_000);
});

test("a session whose frames are being answered waits for its answers, but not past the deadline", async () => {
  const { run, closes } = scene(3, (i, nowMs) => ((i === 0 && nowMs < 500) || i === 1 ? 1 : 0));
  await run(1_000);
  const atMs = new Map(closes.map((close) => [close.i, close.atMs]));
  expect(atMs.get(2)).toBe(0);
  expect(atMs.get(0)).toBe(500);
  expect(atMs.get(1)).toBeGreaterThanOrEqual(900);
});

test("nobody connected is done at once", async () => {
  const { run, clock } = scene(0);
  await run(20_000);
  expect(clock.nowMs).toBe(0);
});
