// Entry ids are set by the lane's writer: 1-0, 2-0, … without holes (redis-keys.ts, lane).

export const FIRST_OFFSET = "0-0";

/** The number in an entry id or offset. */
export const numberOf = (entryId: string): number => Number(entryId.slice(0, entryId.indexOf("-")));

export const entryIdOf = (number: number): string => `${number}-0`;

/** The run of entries between an offset and the next entry that there is, if any is missing. */
export function gapBetween(offset: string, next: string): { from: string; to: string } | undefined {
  const expected = numberOf(offset) + 1;
  return numberOf(next) > expected ? { from: entryIdOf(expected), to: entryIdOf(numberOf(next) - 1) } : undefined;
}
