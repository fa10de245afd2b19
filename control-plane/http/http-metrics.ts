import { Counter, Histogram, type Registry } from "prom-client";

export interface HttpMetrics {
  /** `route` is the path's pattern: what a client sends never becomes a label. */
  requestSeconds: Histogram<"method" | "route" | "status">;
  problems: Counter<"code">;
}

export function createHttpMetrics(registry: Registry): HttpMetrics {
  return {
    requestSeconds: new Histogram({
      name: "http_request_duration_seconds",
      help: "time from the request's head to the end of its answer",
      labelNames: ["method", "route", "status"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers: [registry],
    }),
    problems: new Counter({
      name: "http_problems_total",
      help: "requests refused, by problem code",
      labelNames: ["code"],
      registers: [registry],
    }),
  };
}
