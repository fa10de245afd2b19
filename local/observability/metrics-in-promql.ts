import type { MetricFacts } from "./process-metrics.ts";

const OURS = /\b(?:dynamo|intake|decisions|http|nodejs|process|ocpp)_[a-z0-9_]+\b/g;

/** Every name in an expression that looks like one of a metric of ours. */
export const namesIn = (expr: string): string[] => [...expr.matchAll(OURS)].map(([name]) => name);

/** What an expression asks for that does not exist; matchers in braces count, `by` does not. */
export function mistakesOfLabels(expr: string, known: ReadonlyMap<string, MetricFacts>): string[] {
  return [
    ...expr.matchAll(/\b((?:dynamo|intake|decisions|http|nodejs|process|ocpp)_[a-z0-9_]+)(?:\{([^}]*)\})?/g),
  ].flatMap(([, name = "", matchers = ""]) => {
    const metric = known.get(name) ?? known.get(name.replace(/_(bucket|sum|count)$/, ""));
    if (metric === undefined) return [`${name} is no metric`];
    return [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)]
      .map(([, label = ""]) => label)
      .filter((label) => !metric.labels.includes(label))
      .map((label) => `${name} has no label ${label}`);
  });
}
