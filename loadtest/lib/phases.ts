import type { Settings } from "./settings.ts";

/** A part of a run. Measurements carry its name as the tag `phase`. */
export interface Phase {
  name: string;
  seconds: number;
  /** Messages a second of the whole fleet; undefined: as fast as such a fleet is. */
  rate: number | undefined;
  /** At its beginning every connection is dropped. */
  drops?: boolean;
}

/** The first part of every run: the fleet connects, spread evenly. Boots and first statuses are what it sends. */
export function connecting({ connectSeconds, rate }: Settings): Phase {
  return { name: "connect", seconds: connectSeconds + 5, rate };
}

/** What is measured in a plain run. */
export function load({ durationSeconds, rate }: Settings): Phase {
  return { name: "load", seconds: durationSeconds, rate };
}

export const secondsOf = (phases: readonly Phase[]): number => phases.reduce((sum, { seconds }) => sum + seconds, 0);

/** Which phase it is so many seconds after the beginning; undefined: the run is over. */
export function phaseAt(phases: readonly Phase[], seconds: number): Phase | undefined {
  let end = 0;
  for (const phase of phases) {
    end += phase.seconds;
    if (seconds < end) return phase;
  }
  return undefined;
}
