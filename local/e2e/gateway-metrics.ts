import type { Cluster, ProgramName } from "./cluster.ts";

/** Reads a process's metrics: name with labels, as Prometheus writes it, → value. */
export type ReadMetrics = () => Promise<ReadonlyMap<string, number>>;

/** Finds the internal port of a process in its log. To be called before the log gets long. */
export function internalPortOf(cluster: Cluster, program: ProgramName): number {
  const ready = cluster
    .log(program)
    .split("\n")
    .findLast((line) => line.includes('"msg":"ready"'));
  if (ready === undefined) throw new Error(`${program} never said that it is ready`);
  return (JSON.parse(ready) as { internalPort: number }).internalPort;
}

/** To be called before the log gets long, as `internalPortOf`. */
export function metricsOf(cluster: Cluster, program: ProgramName): ReadMetrics {
  const internalPort = internalPortOf(cluster, program);
  return async () => {
    const response = await fetch(`http://127.0.0.1:${internalPort}/metrics`);
    const text = await response.text();
    if (!response.ok) throw new Error(`metrics of ${program}: ${response.status}`);
    const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
    );
  };
}

/** The sum over all labels of one metric. */
export const totalOf = (metrics: ReadonlyMap<string, number>, name: string): number =>
  [...metrics].reduce((sum, [key, value]) => (key === name || key.startsWith(`${name}{`) ? sum + value : sum), 0);
