import { Counter, type CounterConfiguration, type LabelValues } from "prom-client";

/** What was counted under one set of labels since the last scrape. */
export interface Tally {
  count: number;
}

/** A counter whose labels are looked up when it is scraped, instead of with every count. */
export class TalliedCounter<Label extends string> extends Counter<Label> {
  readonly #tallies: { labels: LabelValues<Label>; tally: Tally }[];

  constructor(facts: Omit<CounterConfiguration<Label>, "collect">) {
    const tallies: { labels: LabelValues<Label>; tally: Tally }[] = [];
    super({
      ...facts,
      collect() {
        for (const { labels, tally } of tallies) {
          if (tally.count > 0) this.inc(labels, tally.count);
          tally.count = 0;
        }
      },
    });
    this.#tallies = tallies;
  }

  /** For whoever counts often: to be kept. */
  tally(labels: LabelValues<Label>): Tally {
    const tally: Tally = { count: 0 };
    this.#tallies.push({ labels, tally });
    return tally;
  }
}
