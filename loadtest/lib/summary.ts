interface Metric {
  type: string;
  contains: string;
  values: Record<string, number>;
  thresholds?: Record<string, { ok: boolean }>;
}

/** What k6 gives at the end of a run. */
export interface SummaryData {
  metrics: Record<string, Metric>;
  state: { testRunDurationMs: number };
}

/** Writes the whole summary as JSON, for the report; says on the terminal which thresholds were missed. */
export function summaryOf(data: SummaryData): Record<string, string> {
  const missed = Object.entries(data.metrics).flatMap(([name, { thresholds, values }]) =>
    Object.entries(thresholds ?? {})
      .filter(([, { ok }]) => !ok)
      .map(([limit]) => `MISSED ${name}: ${limit} (${JSON.stringify(values)})`),
  );
  return {
    [__ENV["SUMMARY_FILE"] ?? "summary.json"]: JSON.stringify({ metrics: data.metrics, state: data.state }),
    stdout: `${missed.length === 0 ? "all thresholds are kept" : missed.join("\n")}\n`,
  };
}
