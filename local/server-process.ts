import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import type { RunAs } from "./unprivileged-user.ts";

/** Part of util-linux, which every Linux system has. */
const SETPRIV = "/usr/bin/setpriv";

/** A server program that runs as a child of ours, apart from the terminal: Ctrl-C reaches us, and we stop it in our order. */
export interface ServerProcess {
  pid: number;
  /** Resolves when it has ended, however that came. */
  ended: Promise<void>;
  hasEnded(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** Sends the signal, then SIGKILL after the deadline. Resolves when it has ended. */
  stop(signal: NodeJS.Signals, deadlineMs: number): Promise<void>;
}

/**
 * Starts a program with its output going to the end of a file.
 *
 * @throws when the program cannot be started
 */
export async function startProcess(start: {
  command: string;
  args: string[];
  /** What it reads on its standard input; nothing when left out. */
  input?: string;
  logFile: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  runAs?: RunAs | undefined;
  /** Ends it also when we are killed: for tests. Linux alone can. */
  diesWithUs?: boolean;
}): Promise<ServerProcess> {
  const output = openSync(start.logFile, "a", 0o600);
  try {
    // The kernel sends the signal when the thread that started it is gone.
    const [command, ...args] = [
      ...(start.diesWithUs && existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL"] : []),
      start.command,
      ...start.args,
    ] as [string, ...string[]];
    const child = spawn(command, args, {
      cwd: start.cwd,
      env: start.env ?? process.env,
      stdio: [start.input === undefined ? "ignore" : "pipe", output, output],
      detached: true,
      ...start.runAs,
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("spawn", () => resolve(child.pid as number));
    });
    // A program that ends before it has read everything says why in its log; the broken pipe adds nothing.
    child.stdin?.on("error", () => {}).end(start.input);
    return followed(child, pid);
  } finally {
    closeSync(output);
  }
}

function followed(child: ChildProcess, pid: number): ServerProcess {
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      over = true;
      resolve();
    });
  });
  const kill = (signal: NodeJS.Signals) => void (over || child.kill(signal));
  return {
    pid,
    ended,
    hasEnded: () => over,
    kill,
    async stop(signal, deadlineMs) {
      kill(signal);
      const timer = setTimeout(() => kill("SIGKILL"), deadlineMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
