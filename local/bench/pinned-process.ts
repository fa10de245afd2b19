import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FOLDERS } from "../folders.ts";

/** Long enough for a busy machine; whoever ends before says why at once. */
const START_DEADLINE_MS = 60_000;

export interface PinnedProcess {
  pid: number;
  /** What it said of itself when it was ready. */
  ready: Record<string, unknown>;
  /** SIGTERM, and SIGKILL when that was not enough. */
  stop(): Promise<void>;
}

/**
 * Starts a TypeScript file of this project on some CPUs, its output going to a file, and waits for the line of JSON that
 * `isReady`. Ends when we end. Throws with its output when it does not come to that.
 */
export async function startPinned(start: {
  file: string;
  args?: readonly string[];
  env?: Record<string, string>;
  cores: string;
  logFile: string;
  isReady(line: Record<string, unknown>): boolean;
}): Promise<PinnedProcess> {
  const output = openSync(start.logFile, "w", 0o600);
  const child = spawn(
    "setpriv",
    [
      ...["--pdeathsig", "KILL", "taskset", "-c", start.cores],
      ...[process.execPath, "--conditions=source", start.file, ...(start.args ?? [])],
    ],
    { cwd: FOLDERS.root, stdio: ["ignore", output, output], env: { PATH: process.env["PATH"] ?? "", ...start.env } },
  );
  closeSync(output);
  let problem = "";
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", ({ message }) => {
      problem = `${message}: want setpriv and taskset, of util-linux\n`;
      resolve();
    });
  });
  let over = false;
  void ended.then(() => (over = true));
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  };
  for (const deadline = Date.now() + START_DEADLINE_MS; !over && Date.now() < deadline; await sleep(30)) {
    const ready = jsonLines(readFileSync(start.logFile, "utf8")).find((line) => start.isReady(line));
    if (ready !== undefined) return { pid: child.pid as number, ready, stop };
  }
  await stop();
  throw new Error(`${start.file} did not start:\n${problem}${readFileSync(start.logFile, "utf8").slice(-2_000)}`);
}

/** The lines of a text that are JSON objects. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
