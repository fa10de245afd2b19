const SMALLEST_MS = 0.05;
const GROWTH = 1.1;
const LOG_GROWTH = Math.log(GROWTH);
const BUCKETS = 200; // up to several hours

/** Durations by size, each bucket a tenth longer than the one before: a quantile is off by at most that. */
export interface HistogramCounts {
  buckets: number[];
  max: number;
}

export class Histogram {
  #buckets = new Uint32Array(BUCKETS);
  #max = 0;

  add(ms: number): void {
    const at = ms <= SMALLEST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / SMALLEST_MS) / LOG_GROWTH));
    this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
    if (ms > this.#max) this.#max = ms;
  }

  reset(): void {
    this.#buckets.fill(0);
    this.#max = 0;
  }

  counts(): HistogramCounts {
    return { buckets: [...this.#buckets], max: this.#max };
  }
}

/** Quantiles over the histograms of several processes; 0 where nothing was counted. */
export function quantilesOf(parts: readonly HistogramCounts[]): { p50: number; p99: number; max: number } {
  const max = Math.max(0, ...parts.map((part) => part.max));
  const counts = Array.from({ length: BUCKETS }, (_, at) =>
    parts.reduce((sum, part) => sum + (part.buckets[at] ?? 0), 0),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  const quantile = (share: number) => {
    let seen = 0;
    const at = counts.findIndex((count) => (seen += count) >= total * share);
    return total === 0 ? 0 : Math.min(max, Math.round(SMALLEST_MS * GROWTH ** at * 100) / 100);
  };
  return { p50: quantile(0.5), p99: quantile(0.99), max: Math.round(max * 100) / 100 };
}
