// What a benchmark is to the program that runs them all (main.ts): it measures, and says its figures as ratios against a
// reference that was measured in the same run, because absolute times mean nothing on a machine that others share.

/** One line of the table that is printed and published. */
export interface BenchRow {
  /** What was compared with what: "MeterValues, durable, against uws-validated". */
  what: string;
  /** The figure that the target speaks of, and its unit: "×", "kB", "ms". */
  figure: number;
  unit: string;
  /** What is to be reached: the figure is to be at least, or at most, this. Absent: it is there to be seen. */
  target?: { atLeast: number } | { atMost: number };
  /** Far beyond the target: past it the short form fails. Absent: it never does. */
  fails?: { below: number } | { above: number };
  /** Figures behind it, for who wants to know: "ours 9.1 µs, reference 12.0 µs, Redis 1.1 µs a message". */
  behind: string;
}

export interface BenchContext {
  /** Interleaved repetitions, of which the median counts: five and more, one or two in the short form. */
  repetitions: number;
  /** The short form of every change: less of everything, minutes in all. */
  short: boolean;
  /** A folder that is the run's own, for what processes leave. */
  folder: string;
  /** A line of progress. */
  report(line: string): void;
}

export interface Bench {
  /** For `--only`. */
  id: string;
  title: string;
  /** Starts what it needs and stops it again, also when it fails. What cannot be measured here is thrown, with the reason. */
  run(context: BenchContext): Promise<BenchRow[]>;
}
