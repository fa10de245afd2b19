import { spawn } from "node:child_process";
import { createWriteStream, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { readK6Lines, type K6Lines } from "./k6-lines.ts";

/** Of k6's summary: values by statistic (`p(95)`, `count`, `rate`, …), and which limits were kept. */
export interface K6Metric {
  values: Record<string, number>;
  thresholds?: Record<string, { ok: boolean }>;
}

export interface K6Result extends K6Lines {
  /** 0: all thresholds were kept; 99: some were not; anything else: k6 failed. */
  exitCode: number;
  /** Empty when k6 did not come to its end. */
  metrics: Record<string, K6Metric>;
}

interface Run {
  command: string;
  scenario: string;
  args: readonly string[];
  env: Record<string, string>;
  folder: string;
  /** Told of k6's process when there is one. */
  started(pid: number): void;
}

/** Runs a scenario of loadtest/scenarios to its end. What k6 says on its own goes to k6.log in the folder. */
export async function runK6({ command, scenario, args, env, folder, started }: Run): Promise<K6Result> {
  const summaryFile = join(folder, "k6-summary.json");
  const consoleFile = join(folder, "k6-console.ndjson");
  rmSync(summaryFile, { force: true });
  rmSync(consoleFile, { force: true });
  const log = createWriteStream(join(folder, "k6.log"), { flags: "w" });
  const child = spawn(
    command,
    [
      ...["run", "--quiet", "--no-color", "--log-format=raw", `--console-output=${consoleFile}`, ...args],
      join(FOLDERS.root, "loadtest", "scenarios", `${scenario}.ts`),
    ],
    {
      cwd: FOLDERS.root,
      env: {
        ...process.env,
        ...env,
        SUMMARY_FILE: summaryFile,
        K6_NO_USAGE_REPORT: "true",
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  // Whoever ends us ends it too.
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  if (child.pid !== undefined) started(child.pid);
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  process.removeListener("exit", end);
  log.end();
  const lines = existsSync(consoleFile) ? readFileSync(consoleFile, "utf8").split("\n") : [];
  const summary = existsSync(summaryFile)
    ? (JSON.parse(readFileSync(summaryFile, "utf8")) as { metrics: Record<string, K6Metric> })
    : { metrics: {} };
  return { exitCode, metrics: summary.metrics, ...readK6Lines(lines) };
}
