import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FOLDERS } from "../folders.ts";

/** A metric as its registry has it. */
export interface MetricFacts {
  name: string;
  type: string;
  help: string;
  labels: string[];
}

/** The processes that have metrics. */
export const PROCESSES = ["gateway", "decisions", "intake", "jobs", "api"] as const;
export type ProcessName = (typeof PROCESSES)[number];

interface Registry {
  registerMetric(metric: unknown): void;
  getMetricsAsArray(): { name: string; labelNames?: string[] }[];
  getMetricsAsJSON(): Promise<{ name: string; help: string; type: string }[]>;
}
type Exports = Record<string, (...values: unknown[]) => unknown>;
type Register = (registry: Registry) => unknown;

/** An exported function of the gateway or the control plane. Called for documents; no code of ours may depend on them. */
async function load(path: string, name: string): Promise<(...values: unknown[]) => unknown> {
  const exports = (await import(/* @vite-ignore */ pathToFileURL(join(FOLDERS.root, path)).href)) as Exports;
  const found = exports[name];
  if (found === undefined) throw new Error(`${path} has no ${name}`);
  return found;
}

/**
 * Every metric of every process, from the code that registers them. Nothing is connected; what a process registers in its
 * main.ts is repeated here, and a test compares it with the processes themselves.
 */
export async function metricsOfProcesses(): Promise<Record<ProcessName, MetricFacts[]>> {
  const createMetrics = await load("gateway/metrics.ts", "createMetrics");
  const { registry } = createMetrics({ version: "", nodeId: "" }) as { registry: Registry };
  await registerForEvery(registry, true);

  const controlPlane = async (register: Register[], certificates: boolean) => {
    const made = new (registry.constructor as new () => Registry)();
    const tellPools = await load("control-plane/operations/pool-metrics.ts", "tellPools");
    tellPools(made, {});
    for (const each of register) each(made);
    await registerForEvery(made, certificates);
    // What prom-client itself tells is the same everywhere.
    const defaults = (await factsOf(registry)).filter(({ name }) => /^(nodejs|process)_/.test(name));
    return [...defaults, ...(await factsOf(made))];
  };
  const from = async (path: string, name: string, ...more: unknown[]): Promise<Register> => {
    const create = await load(path, name);
    return (made) => create(made, ...more);
  };
  const decisions = await from("control-plane/decisions/decisions-metrics.ts", "createDecisionsMetrics", () => 0);
  const intake = await from("control-plane/intake/intake-metrics.ts", "createIntakeMetrics", () => []);
  const http = await Promise.all([
    from("control-plane/http/http-metrics.ts", "createHttpMetrics"),
    from("control-plane/commands/command-metrics.ts", "createCommandMetrics"),
  ]);
  const jobs = await Promise.all([
    from("control-plane/jobs/job-metrics.ts", "createJobMetrics"),
    from("control-plane/webhooks/webhook-metrics.ts", "createWebhookMetrics"),
    from("control-plane/mail/mail-metrics.ts", "createMailMetrics"),
    from("control-plane/operations/backlog-metrics.ts", "createBacklogMetrics"),
    from("control-plane/commands/command-metrics.ts", "createCommandMetrics"),
  ]);
  return {
    gateway: await factsOf(registry),
    decisions: await controlPlane([decisions], true),
    intake: await controlPlane([intake], false),
    jobs: await controlPlane(jobs, false),
    api: await controlPlane(http, true),
  };
}

async function registerForEvery(registry: Registry, certificates: boolean): Promise<void> {
  const startInternalServer = await load("proto/process/internal-server.ts", "startInternalServer");
  const server = (await startInternalServer({ port: 0, host: "127.0.0.1", checks: {}, registry })) as {
    close(): Promise<void>;
  };
  await server.close();
  const tellBuild = await load("proto/process/build-metric.ts", "tellBuild");
  tellBuild(registry, { process: "", version: "" });
  if (!certificates) return;
  const tellCertificates = await load("proto/process/certificate-metric.ts", "tellCertificates");
  tellCertificates(registry, {});
}

async function factsOf(registry: Registry): Promise<MetricFacts[]> {
  const described = await registry.getMetricsAsJSON();
  const labels = new Map(registry.getMetricsAsArray().map(({ name, labelNames }) => [name, labelNames ?? []]));
  return described
    .map(({ name, help, type }) => ({ name, help, type, labels: [...(labels.get(name) ?? [])] }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
