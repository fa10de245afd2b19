import { median } from "../arithmetic.ts";

/** What may be more at the end than at the beginning before it is no noise. */
const MOST_GROWTH_SECONDS = 0.3;
const MOST_SECONDS = 2;

/** The medians of the first, the middle and the last third. Throws with fewer than three figures. */
export function thirdsOf(figures: readonly number[]): [number, number, number] {
  const third = Math.floor(figures.length / 3);
  return [
    median(figures.slice(0, third)),
    median(figures.slice(third, figures.length - third)),
    median(figures.slice(figures.length - third)),
  ];
}

/** Whether a lag of so many seconds, in thirds of the time, does not grow. */
export const isFlat = ([first, middle, last]: [number, number, number]): boolean =>
  last <= first + MOST_GROWTH_SECONDS && Math.max(first, middle, last) <= MOST_SECONDS;
