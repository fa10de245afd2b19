import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { lastLines } from "../log-file.ts";
import { freePort } from "../ports.ts";
import { startProcess } from "../server-process.ts";
import { prometheusPrograms } from "./prometheus-program.ts";

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

/** A Prometheus that scrapes once a second. */
export interface PrometheusServer {
  /** What an expression gives now. @throws with Prometheus' own words when it does not parse */
  query(expr: string): Promise<Sample[]>;
  /** Names of the alerts that fire now. */
  firing(): Promise<Set<string>>;
  /** Names of all metrics that targets tell, those without a series yet among them. */
  metricNames(): Promise<Set<string>>;
  close(): Promise<void>;
}

/**
 * Starts a Prometheus of its own.
 * @param targets `host:port` of the processes. @param rules a rules file's text
 */
export async function startPrometheus(targets: string[], rules: string): Promise<PrometheusServer> {
  const { prometheus } = await prometheusPrograms(console.log);
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-prometheus-"));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: [join(folder, "rules.yaml")],
    scrape_configs: [{ job_name: "dynamo-csms", static_configs: [{ targets }] }],
  };
  writeFileSync(join(folder, "rules.yaml"), rules);
  // JSON is YAML.
  writeFileSync(join(folder, "prometheus.yaml"), JSON.stringify(config));
  const logFile = join(folder, "log");
  const running = await startProcess({
    command: prometheus,
    args: [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    diesWithUs: true,
    logFile,
  });
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${origin}/api/v1/${path}`);
    const body = (await response.json()) as { status: string; error?: string; data: unknown };
    if (body.status !== "success") throw new Error(`${decodeURIComponent(path)}: ${body.error ?? response.status}`);
    return body.data;
  };
  const close = async () => {
    await running.stop("SIGTERM", 10_000);
    rmSync(folder, { recursive: true, force: true });
  };
  const query = async (expr: string) =>
    ((await get(`query?query=${encodeURIComponent(expr)}`)) as { result: Sample[] }).result;

  for (let tries = 0; ; tries += 1) {
    if (running.hasEnded() || tries > 300) {
      const said = lastLines(logFile);
      await close();
      throw new Error(`Prometheus does not start:\n${said}`);
    }
    const ready = await fetch(`${origin}/-/ready`).catch(() => undefined);
    if (ready?.ok) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    query,
    async firing() {
      const alerts = await query('ALERTS{alertstate="firing"}');
      return new Set(alerts.map(({ metric }) => metric["alertname"] ?? ""));
    },
    metricNames: async () => new Set(Object.keys((await get("metadata")) as object)),
    close,
  };
}

/** What promtool says of a rules file; rejects with it when the file is wrong. */
export async function checkRules(file: string): Promise<string> {
  const { promtool } = await prometheusPrograms(console.log);
  const { stdout } = await promisify(execFile)(promtool, ["check", "rules", "--lint-fatal", file]);
  return stdout;
}
