/** The middle of the figures, of an even number the mean of the two in the middle. Throws without any. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const below = sorted[(sorted.length - 1) >> 1];
  const above = sorted[sorted.length >> 1];
  if (below === undefined || above === undefined) throw new Error("the median of nothing");
  return (below + above) / 2;
}

/**
 * The median of the quotients, repetition by repetition: what was measured together is compared, so that a machine which
 * slows down between two repetitions changes nothing.
 */
export function medianRatio(numerators: readonly number[], denominators: readonly number[]): number {
  if (numerators.length !== denominators.length) throw new Error("want as many figures on both sides");
  return median(numerators.map((numerator, at) => numerator / (denominators[at] as number)));
}
