/**
 * Divides items that came together so that no key is twice in a round: what has the same key is worked on one after the
 * other, in its order. Items without a key are in the first round.
 */
export function inRounds<T>(items: readonly T[], keyOf: (item: T) => string | undefined): T[][] {
  const rounds: T[][] = [];
  const seen = new Map<string, number>();
  for (const item of items) {
    const key = keyOf(item);
    const round = key === undefined ? 0 : (seen.get(key) ?? 0);
    if (key !== undefined) seen.set(key, round + 1);
    (rounds[round] ??= []).push(item);
  }
  return rounds;
}
