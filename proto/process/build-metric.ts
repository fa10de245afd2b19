import { Gauge, type Registry } from "prom-client";

/** What a process is, in its log and its metrics: a closed set. */
type ProcessKind = "gateway" | "decisions" | "intake" | "jobs" | "api";

/**
 * Tells that a process of this kind is there, and of which release: `dynamo_build_info`, always 1. Told from the start on, ready
 * or not: where no target tells it, none runs.
 * @param build `version`: BUILD_VERSION
 */
export function tellBuild(registry: Registry, build: { process: ProcessKind; version: string }): void {
  const info = new Gauge({
    name: "dynamo_build_info",
    help: "1, with the kind of process and the release that it runs as labels",
    labelNames: ["process", "version"],
    registers: [],
  });
  registry.registerMetric(info);
  info.set({ process: build.process, version: build.version }, 1);
}
