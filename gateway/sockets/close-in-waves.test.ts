import { expect, test } from "vitest";
import { closeInWaves } from "./close-in-waves.ts";

interface SceneSettings {
  waitingFrames?: (i: number, nowMs: number) => number;
  isCalled?: (i: number, nowMs: number) => boolean;
  random?: () => number;
  closesPerSecond?: number;
}

function scene(
  count: number,
  { waitingFrames = () => 0, isCalled = () => false, random = () => 0.5, closesPerSecond = 500 }: SceneSettings = {},
) {
  const clock = { nowMs: 0 };
  const callsEndedAtMs: number[] = [];
  const closes: { i: number; atMs: number; code: number }[] = [];
  const sessions = Array.from({ length: count }, (_, i) => ({
    i,
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
      isCalled: ({ i }) => isCalled(i, clock.nowMs),
      callsEndAtMs: deadlineMs / 2,
      callsEnd: () => callsEndedAtMs.push(clock.nowMs),
      closesPerSecond,
      endsAtMs: deadlineMs,
      nowMs: () => clock.nowMs,
      pause: (ms) => {
        clock.nowMs += ms;
        return Promise.resolve();
      },
      random,
    });
  const lastAtMs = () => Math.max(...closes.map(({ atMs }) => atMs));
  return { run, closes, callsEndedAtMs, clock, lastAtMs };
}

/** The most closes that any second saw. */
const peakOf = (closes: { atMs: number }[]) =>
  Math.max(...closes.map(({ atMs: from }) => closes.filter(({ atMs }) => atMs >= from && atMs < from + 1_000).length));

test("[A4] all are closed with 1012, at five hundred a second, at uneven times", async () => {
  const { run, closes } = scene(2_000, { random: Math.random });
  await run(20_000);
  expect(closes.length).toBe(2_000);
  expect(closes.every(({ code }) => code === 1012)).toBe(true);
  // One wave of 150 ms more than what a second allows, since a second may begin with one.
  expect(peakOf(closes)).toBeLessThanOrEqual(575);
  const times = [...new Set(closes.map(({ atMs }) => atMs))];
  const pauses = times.slice(1).map((atMs, n) => atMs - (times[n] ?? 0));
  expect(Math.max(...pauses) - Math.min(...pauses)).toBeGreaterThan(10);
});

test("[A4] the pace is a setting, also where it allows less than one in a wave", async () => {
  const { run, closes, lastAtMs } = scene(20, { closesPerSecond: 4 });
  await run(20_000);
  expect(closes.length).toBe(20);
  expect(peakOf(closes)).toBeLessThanOrEqual(5);
  expect(lastAtMs()).toBeLessThanOrEqual(5_000);
});

test("[A4] more than that go faster, to be done by the deadline", async () => {
  const { run, closes, lastAtMs } = scene(10_000);
  await run(2_000);
  expect(closes.length).toBe(10_000);
  expect(lastAtMs()).toBeLessThanOrEqual(2_000);
});

test("a session whose frames are being answered waits for its answers, but not past the deadline", async () => {
  const { run, closes } = scene(3, { waitingFrames: (i, nowMs) => ((i === 0 && nowMs < 500) || i === 1 ? 1 : 0) });
  await run(1_000);
  const atMs = new Map(closes.map((close) => [close.i, close.atMs]));
  expect(atMs.get(2)).toBe(0);
  expect(atMs.get(0)).toBe(500);
  expect(atMs.get(1)).toBeGreaterThanOrEqual(900);
});

test("[A4] [A5] a station that has to answer a command goes when it has, and past half of the time in any case", async () => {
  const { run, closes, callsEndedAtMs } = scene(3, { isCalled: (i, nowMs) => (i === 0 && nowMs < 300) || i === 1 });
  await run(2_000);
  const atMs = new Map(closes.map((close) => [close.i, close.atMs]));
  expect(atMs.get(2)).toBe(0);
  expect(atMs.get(0)).toBe(300);
  expect(atMs.get(1)).toBe(1_000);
  expect(callsEndedAtMs).toEqual([1_000]);
});

test("nobody connected is done at once", async () => {
  const { run, clock } = scene(0);
  await run(20_000);
  expect(clock.nowMs).toBe(0);
});
