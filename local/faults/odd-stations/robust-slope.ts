/** A measurement at some time, both in any unit. */
export interface Point {
  at: number;
  value: number;
}

/**
 * The slope by Theil and Sen: the median of the slopes of all pairs. Up to 29 % of the points may be anything, so the teeth of
 * a collected heap and a pause of the machine do not move it. 0 for fewer than two points in time.
 */
export function robustSlope(points: readonly Point[]): number {
  const slopes: number[] = [];
  for (const [n, earlier] of points.entries())
    for (const later of points.slice(n + 1))
      if (later.at !== earlier.at) slopes.push((later.value - earlier.value) / (later.at - earlier.at));
  return slopes.length === 0 ? 0 : medianOf(slopes);
}

/** NaN for none. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** How much it grows over the time that the points span, going by their robust slope. */
export function robustGrowth(points: readonly Point[]): number {
  const times = points.map(({ at }) => at);
  return points.length < 2 ? 0 : robustSlope(points) * (Math.max(...times) - Math.min(...times));
}
