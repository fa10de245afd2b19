// Entry ids are set by the lane's writer: 1-0, 2-0, … without holes (redis-keys.ts, lane).

export const FIRST_OFFSET = "0-0";

/** The number in an entry id or offset. */
export const numberOf = (entryId: string): number => Number(entryId.slice(0, entryId.indexOf("-")));

export const entryIdOf = (number: number): string => `${number}-0`;

/** Entries from the first to the last, both included. */
export interface EntryRange {
  from: string;
  to: string;
}

/** What is left of a range without the numbers from `first` to `last`: none, one or two ranges. */
export function withoutNumbers(range: EntryRange, first: number, last: number): EntryRange[] {
  const [from, to] = [numberOf(range.from), numberOf(range.to)];
  if (last < from || first > to) return [range];
  const before = first > from ? [{ from: range.from, to: entryIdOf(first - 1) }] : [];
  const after = last < to ? [{ from: entryIdOf(last + 1), to: range.to }] : [];
  return [...before, ...after];
}

/** The run of entries between an offset and the next entry that there is, if any is missing. */
export function gapBetween(offset: string, next: string): EntryRange | undefined {
  const expected = numberOf(offset) + 1;
  return numberOf(next) > expected ? { from: entryIdOf(expected), to: entryIdOf(numberOf(next) - 1) } : undefined;
}
