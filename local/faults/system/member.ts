import { lastLines, sizeOf, textFrom } from "../../log-file.ts";
import { FOLDERS } from "../../folders.ts";
import { startProcess, type ServerProcess } from "../../server-process.ts";
import type { Member } from "../contract.ts";

export interface MemberSettings {
  name: string;
  kind: Member["kind"];
  /** 0 where there is none. */
  port: number;
  internalPort: number;
  logFile: string;
  env: Record<string, string>;
}

const PROGRAMS: Record<Member["kind"], string> = {
  gateway: "gateway/main.ts",
  decisions: "control-plane/processes/decisions/main.ts",
  intake: "control-plane/processes/intake/main.ts",
  jobs: "control-plane/processes/jobs/main.ts",
  api: "control-plane/processes/api/main.ts",
};

/** All of them together, on two cores: generous. */
const READY_DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 45_000;

/** One process of the product, not started yet. */
export function createMember(settings: MemberSettings): Member {
  const { name, kind, port, internalPort, logFile, env } = settings;
  let process_: ServerProcess | undefined;

  async function startWith(more: Record<string, string>): Promise<void> {
    if (process_ !== undefined && !process_.hasEnded()) return;
    const from = sizeOf(logFile);
    const started = await startProcess({
      command: process.execPath,
      args: ["--conditions=source", PROGRAMS[kind]],
      cwd: FOLDERS.root,
      diesWithUs: true,
      logFile,
      env: { ...env, ...more },
    });
    process_ = started;
    const deadline = Date.now() + READY_DEADLINE_MS;
    while (!textFrom(logFile, from).includes('"msg":"ready"')) {
      if (started.hasEnded()) throw new Error(`${name} ended:\n${lastLines(logFile, { from })}`);
      if (Date.now() > deadline) throw new Error(`${name} is not ready in time:\n${lastLines(logFile, { from })}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  const ask = async (path: string): Promise<Response | undefined> => {
    try {
      return await fetch(`http://127.0.0.1:${internalPort}${path}`, { signal: AbortSignal.timeout(5_000) });
    } catch {
      return undefined;
    }
  };
  const status = async (path: string): Promise<number> => {
    const answer = await ask(path);
    await answer?.body?.cancel();
    return answer?.status ?? 0;
  };

  return {
    name,
    kind,
    port,
    pid: () => process_?.pid ?? 0,
    running: () => process_ !== undefined && !process_.hasEnded(),
    kill: async () => process_?.stop("SIGKILL", STOP_DEADLINE_MS),
    stop: async () => process_?.stop("SIGTERM", STOP_DEADLINE_MS),
    pause: () => process_?.kill("SIGSTOP"),
    resume: () => process_?.kill("SIGCONT"),
    start: () => startWith({}),
    startWith,
    log: () => textFrom(logFile, 0),
    livez: () => status("/livez"),
    readyz: () => status("/readyz"),
    async metric(metric) {
      const text = await (await ask("/metrics"))?.text();
      return text === undefined ? undefined : sumOf(text, metric);
    },
  };
}

/** Prometheus text format: the sum of all lines of this name, whatever their labels; undefined: there is none. */
export function sumOf(text: string, metric: string): number | undefined {
  const values = text
    .split("\n")
    .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}
