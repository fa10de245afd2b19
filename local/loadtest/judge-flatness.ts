import { whyNotFlat } from "../faults/odd-stations/process-figures.ts";
import { medianOf } from "../faults/odd-stations/robust-slope.ts";
import type { Sample } from "./watch-system.ts";

/** What a process's memory, and the lag, may grow by over two thirds of a run before it is no noise of collectors and timers. */
const LEAST_MEMORY_GROWTH = 48 * 2 ** 20;
const LEAST_LAG_GROWTH_SECONDS = 1;

/** Postgres fills its buffers, Redis its replay window, k6 its figures: they grow for as long as any run lasts. */
const FILLING = new Set(["postgres", "redis", "k6"]);

/** What is not flat over a run, in words. */
export function notFlat(samples: readonly Sample[]): string[] {
  const names = new Set(samples.flatMap(({ usage }) => Object.keys(usage)));
  const memory = [...names]
    .filter((name) => !FILLING.has(name))
    .flatMap((name) => {
      const why = whyNotFlat(memoryOf(samples, name), LEAST_MEMORY_GROWTH);
      return why === undefined ? [] : [`${name}: memory in bytes ${why}`];
    });
  const why = whyNotFlat(lagOf(samples), LEAST_LAG_GROWTH_SECONDS);
  return [...memory, ...(why === undefined ? [] : [`lag in seconds ${why}`])];
}

/** At the beginning, in the middle, at the end: the medians of a fifth of the run there. */
export function threeLooks(points: readonly { value: number }[]): [number, number, number] | undefined {
  if (points.length < 3) return undefined;
  const fifth = Math.max(1, Math.floor(points.length / 5));
  const middle = Math.floor((points.length - fifth) / 2);
  const part = (from: number) => medianOf(points.slice(from, from + fifth).map(({ value }) => value));
  return [part(0), part(middle), part(points.length - fifth)];
}

export const memoryOf = (samples: readonly Sample[], name: string) =>
  samples.flatMap(({ atMs, usage }) =>
    usage[name] === undefined ? [] : [{ at: atMs / 1_000, value: usage[name].residentBytes }],
  );

export const lagOf = (samples: readonly Sample[]) =>
  samples.flatMap(({ atMs, lagSeconds }) =>
    lagSeconds === undefined ? [] : [{ at: atMs / 1_000, value: lagSeconds }],
  );
