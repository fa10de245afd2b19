// prom-client's histogram checks, hashes and looks up its labels with every value, which costs more than answering a frame.
// Here a series is looked up once, and what is observed is an addition.

import type { Histogram, Registry } from "prom-client";

interface TalliedHistogramFacts<Label extends string> {
  name: string;
  help: string;
  labelNames: readonly Label[];
  /** Upper bounds, rising. */
  buckets: readonly number[];
  registers: readonly Registry[];
}

/** What was observed under one set of labels. */
export class HistogramSeries {
  readonly #bounds: readonly number[];
  /** One for each bound, and one for what is above all. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = [...bounds.map(() => 0), 0];
  }

  /** @param times how often this value was observed */
  observe(value: number, times = 1): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    this.counts[at] = (this.counts[at] as number) + times;
    this.sum += value * times;
  }
}

/** A histogram of a prom-client registry. */
export class TalliedHistogram<Label extends string> {
  readonly name: string;
  /** As prom-client's have it. */
  readonly labelNames: readonly Label[];
  readonly #facts: TalliedHistogramFacts<Label>;
  readonly #series = new Map<string, { labels: Record<Label, string>; series: HistogramSeries }>();

  constructor(facts: TalliedHistogramFacts<Label>) {
    this.name = facts.name;
    this.labelNames = facts.labelNames;
    this.#facts = facts;
    // A registry asks no more of a metric than its name and what `get` tells.
    for (const registry of facts.registers) registry.registerMetric(this as unknown as Histogram<Label>);
  }

  /** For whoever observes often: to be kept. */
  series(labels: Record<Label, string>): HistogramSeries {
    const key = this.#facts.labelNames.map((name) => labels[name]).join("\n");
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    const series = new HistogramSeries(this.#facts.buckets);
    this.#series.set(key, { labels, series });
    return series;
  }

  observe(labels: Record<Label, string>, value: number): void {
    this.series(labels).observe(value);
  }

  /** As prom-client's: for each series its buckets, each with those below it, then sum and count. */
  async get() {
    const { name, help, labelNames, buckets } = this.#facts;
    const values = [...this.#series.values()].flatMap(({ labels, series }) => {
      // As if it had not been looked up yet.
      if (labelNames.length > 0 && series.counts.every((count) => count === 0)) return [];
      let below = 0;
      const ofBuckets = [...buckets, "+Inf"].map((le, at) => {
        below += series.counts[at] ?? 0;
        return { labels: { le, ...labels }, value: below, metricName: `${name}_bucket` };
      });
      return [
        ...ofBuckets,
        { labels, value: series.sum, metricName: `${name}_sum` },
        { labels, value: below, metricName: `${name}_count` },
      ];
    });
    return Promise.resolve({ name, help, type: "histogram", values, aggregator: "sum" });
  }
}
