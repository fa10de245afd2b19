/** How much time one partition holds. */
export type PartitionSpan = "day" | "month";

/** From (included) to (excluded), UTC. */
export interface PartitionRange {
  /** What follows the table's name and an underscore. */
  suffix: string;
  from: Date;
  to: Date;
}

/** The range that holds this moment. */
export function rangeOf(span: PartitionSpan, at: Date): PartitionRange {
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  if (span === "month") return range(new Date(Date.UTC(year, month, 1)), new Date(Date.UTC(year, month + 1, 1)), 7);
  return range(new Date(Date.UTC(year, month, day)), new Date(Date.UTC(year, month, day + 1)), 10);
}

/** The ranges that hold `at` and whatever begins up to `aheadDays` later. */
export function rangesAhead(span: PartitionSpan, at: Date, aheadDays: number): PartitionRange[] {
  const first = rangeOf(span, at);
  const ranges = [first];
  const until = at.getTime() + aheadDays * 86_400_000;
  for (let next = rangeOf(span, first.to); next.from.getTime() <= until; next = rangeOf(span, next.to))
    ranges.push(next);
  return ranges;
}

/** The range behind a suffix of ours; undefined for the default partition and for tables of other people. */
export function rangeOfSuffix(suffix: string): PartitionRange | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)?$/.exec(suffix);
  if (parts === null) return undefined;
  return rangeOf(
    parts[3] === undefined ? "month" : "day",
    new Date(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3] ?? 1))),
  );
}

const range = (from: Date, to: Date, digits: number): PartitionRange => ({
  suffix: from.toISOString().slice(0, digits).replaceAll("-", ""),
  from,
  to,
});
