import { renameSync } from "node:fs";
import { join } from "node:path";
import { keepRunning } from "./keep-running.ts";
import { lastLines, sizeOf, textFrom } from "./log-file.ts";
import { startProcess, type ServerProcess } from "./server-process.ts";

const READY_DEADLINE_MS = 90_000;
const KEPT_LOG_BYTES = 20 * 1_048_576;

/** One of our processes: a TypeScript file that prints one line {"msg":"ready", port, internalPort} when it is ready. */
export interface Program {
  name: string;
  file: string;
  env: Record<string, string | undefined>;
  /** How long it may take to stop in order. */
  stopDeadlineMs: number;
}

export interface ReadyLine {
  port?: number;
  internalPort?: number;
}

export interface Supervised {
  name: string;
  ready: ReadyLine;
  stop(): Promise<void>;
}

interface Deps {
  root: string;
  logs: string;
  say(line: string): void;
  onStart(name: string, pid: number): void;
  onEnd(name: string): void;
  /** Whether everything is being stopped: what is not ready yet is ended instead of waited for. */
  isStopping(): boolean;
}

/**
 * Starts a program, waits until it is ready, and keeps it running.
 *
 * @throws with the last lines of its log when the first start fails
 */
export async function supervise(program: Program, deps: Deps): Promise<Supervised> {
  const logFile = join(deps.logs, `${program.name}.log`);
  makeRoom(logFile);

  const start = async (): Promise<ServerProcess & { ready: ReadyLine }> => {
    const logBegins = sizeOf(logFile);
    const running = await startProcess({
      command: process.execPath,
      args: ["--conditions=source", program.file],
      logFile,
      cwd: deps.root,
      env: program.env,
    });
    deps.onStart(program.name, running.pid);
    void running.ended.then(() => deps.onEnd(program.name));
    const ready = await readyLine(running, logFile, logBegins, () => deps.isStopping());
    if (ready) return { ...running, ready };
    await running.stop("SIGTERM", 5_000);
    throw new Error(`${program.name} did not start (${logFile}):\n${lastLines(logFile, { from: logBegins })}`);
  };

  const { first, stop } = await keepRunning({
    name: program.name,
    logFile,
    start,
    stop: (current) => current.stop("SIGTERM", program.stopDeadlineMs),
    say: (line) => deps.say(line),
  });
  return { name: program.name, ready: first.ready, stop };
}

/** @returns undefined when it ended, or was not ready in time. */
async function readyLine(
  running: ServerProcess,
  logFile: string,
  from: number,
  isStopping: () => boolean,
): Promise<ReadyLine | undefined> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (Date.now() < deadline && !running.hasEnded() && !isStopping()) {
    for (const line of textFrom(logFile, from).split("\n")) {
      if (!line.includes('"ready"')) continue;
      try {
        const parsed = JSON.parse(line) as { msg?: string } & ReadyLine;
        if (parsed.msg === "ready") return parsed;
      } catch {
        // not whole yet
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}

/** A log that has grown large becomes `….log.old`; the one before is dropped. */
export function makeRoom(logFile: string): void {
  if (sizeOf(logFile) > KEPT_LOG_BYTES) renameSync(logFile, `${logFile}.old`);
}
